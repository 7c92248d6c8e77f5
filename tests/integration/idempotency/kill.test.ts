import { setTimeout as delay } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import type { Task } from "#gen/task/v1/task_pb.js";
import { ServiceError } from "#kit/errors.ts";
import { newId } from "#kit/id.ts";
import { type KilledService, startKilledService } from "./killed-service.ts";

// What a client repeats: nobody answered, or somebody else is at it.
const passing: ReadonlySet<ErrorReason> = new Set([
  ErrorReason.UNAVAILABLE,
  ErrorReason.DEADLINE_EXCEEDED,
  ErrorReason.CANCELLED,
  ErrorReason.IDEMPOTENCY_KEY_IN_FLIGHT,
]);
const callsOfKey = 10;
const keysAtOnce = 5;
const patienceMs = 280_000;

interface Outcome {
  /** The answers of each key, one of every caller. */
  answers: Task[][];
  replays: number;
  userId: string;
  as: ReturnType<KilledService["person"]>["as"];
}

/** Every key is used by ten callers at once, each of whom repeats the call until it is answered. */
async function callWithKeys({ client, person }: KilledService, keys: readonly string[]): Promise<Outcome> {
  const { userId, as } = person();
  const end = Date.now() + patienceMs;
  let replays = 0;
  const insist = async (key: string): Promise<Task> => {
    const onHeader = (headers: Record<string, string>) => {
      if (headers["idempotency-replayed"] === "true") replays += 1;
    };
    for (;;) {
      try {
        const options = { ...as({ "idempotency-key": key }), onHeader };
        return (await client.createTask({ task: { title: key } }, options)).task as Task;
      } catch (error) {
        if (!(error instanceof ServiceError) || !passing.has(error.reason) || Date.now() > end) throw error;
        await delay(error.retryAfterMs ?? 50);
      }
    }
  };
  const answers: Task[][] = [];
  const waiting = [...keys];
  const lane = async () => {
    for (let key = waiting.shift(); key !== undefined; key = waiting.shift()) {
      const wanted = key;
      answers.push(await Promise.all(Array.from({ length: callsOfKey }, () => insist(wanted))));
    }
  };
  await Promise.all(Array.from({ length: keysAtOnce }, lane));
  return { answers, replays, userId, as };
}

async function tasksOf({ sql }: KilledService, userId: string): Promise<{ task_id: string; title: string }[]> {
  return (await sql.query("SELECT task_id, title FROM task WHERE owner_id = $1", [userId])).rows;
}

describe("a service that is killed between commit and reply", { timeout: 300_000 }, () => {
  let killed: KilledService;
  afterEach(() => killed.close());

  it("makes one task of each key, and answers every call with it", async () => {
    killed = await startKilledService("killed-before-reply");
    const keys = Array.from({ length: 60 }, newId);
    const { answers, replays, userId, as } = await callWithKeys(killed, keys);

    expect(killed.kills()).toBeGreaterThanOrEqual(4);
    const tasks = await tasksOf(killed, userId);
    expect(tasks.map(({ title }) => title).sort()).toEqual([...keys].sort());
    for (const [first, ...others] of answers) for (const other of others) expect(other).toEqual(first);
    expect(answers.map(([task]) => task?.taskId).sort()).toEqual(tasks.map((task) => task.task_id).sort());
    // Of each key all answers but at most one are repetitions; of a killed call's key all of them are.
    expect(replays).toBeGreaterThanOrEqual(keys.length * (callsOfKey - 1) + killed.kills());

    const { client } = killed;
    for (const key of keys) {
      const another = client.createTask({ task: { title: "another body" } }, as({ "idempotency-key": key }));
      await expect(another).rejects.toMatchObject({ reason: ErrorReason.IDEMPOTENCY_KEY_REUSED });
    }
    expect(await tasksOf(killed, userId)).toHaveLength(keys.length);
    const events = await killed.sql.query("SELECT key, type FROM outbox_event");
    expect(events.rows.map(({ key }) => key).sort()).toEqual(tasks.map((task) => task.task_id).sort());
    expect(new Set(events.rows.map(({ type }) => type))).toEqual(new Set(["task.v1.TaskCreated"]));
  });

  it("would make more of them if the answer were stored after the commit", async () => {
    killed = await startKilledService("stored-after-commit");
    const keys = Array.from({ length: 28 }, newId);
    const { userId } = await callWithKeys(killed, keys);
    expect(killed.kills()).toBeGreaterThanOrEqual(2);
    expect((await tasksOf(killed, userId)).length).toBeGreaterThan(keys.length);
  });
});
