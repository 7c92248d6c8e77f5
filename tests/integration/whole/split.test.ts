import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { type TailedRecord, tailTopics } from "#kit/events/tail.ts";
import { serviceNames } from "../../../envoy/options.ts";
import { until } from "../../_util/until.ts";
import { rest } from "./calls.ts";
import { type Person, type Stack, startStack } from "./stack.ts";

// Other tests call from this address too: only what one caller may do is narrow.
const wide = ["general-address", "auth-address", "anonymous-minute", "anonymous-10-minutes", "anonymous-hour"];
const env = {
  RATE_LIMIT_PRESET: "standard",
  RATE_LIMIT_OVERRIDES: [...wide.map((name) => `${name}=100000/1`), "general=20/3600"].join(","),
};

let stack: Stack;
let ann: Person;
let bob: Person;
beforeAll(async () => {
  stack = await startStack({ env });
  [ann, bob] = [await stack.person(), await stack.person()];
});
afterAll(() => stack.close());

const callsTo = (service: string) => stack.stat(`cluster.${service}.upstream_rq_total`);

/** The tables that a service made in its database, without those that the kit gives to each. */
async function tablesOf(service: (typeof serviceNames)[number]): Promise<string[]> {
  const { rows } = await stack.sql[service].query<{ name: string }>(
    "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY table_name",
  );
  const kit = /^(outbox_|inbox_event|parked_key|dead_letter|idempotency_key|mikro_orm_)/;
  return rows.map(({ name }) => name).filter((name) => !kit.test(name));
}

describe("the split into services", () => {
  it("keeps what each owns in a database of its own, and the gateway says who calls and how often [001.01]", async () => {
    const tables = await Promise.all(serviceNames.map(tablesOf));
    const homes = Object.fromEntries(serviceNames.map((name, index) => [name, tables[index]]));
    expect(homes).toMatchObject({
      auth: expect.arrayContaining(["account", "session", "refresh_token"]),
      user: ["profile"],
      task: expect.arrayContaining(["task"]),
      notification: expect.arrayContaining(["notification"]),
    });
    expect(new Set(tables.flat()).size).toBe(tables.flat().length);

    const carol = await stack.person();
    const before = await callsTo("task");
    const read = (headers: Record<string, string>) => rest(stack, { headers }, "GET /v1/tasks");
    expect((await read({})).status).toBe(401);
    expect((await read({ authorization: "Bearer made.up.token" })).status).toBe(401);
    expect(await callsTo("task")).toBe(before);
    const statuses: number[] = [];
    for (let call = 0; call < 22; call += 1) statuses.push((await read(carol.headers)).status);
    expect(statuses).toEqual([...Array(20).fill(200), 429, 429]);
    expect(await callsTo("task")).toBe(before + 20);
  });

  it("asks by gRPC where it needs the answer, and tells by Kafka what has happened [001.03]", async () => {
    const stop = new AbortController();
    const records: TailedRecord[] = [];
    const following = Promise.withResolvers<void>();
    const tail = tailTopics({
      brokers: inject("kafka").split(","),
      topics: ["task.events.v1"],
      signal: stop.signal,
      onFollowing: following.resolve,
      see: (record) => records.push(record),
    });
    await Promise.race([following.promise, tail]);
    const asked = await callsTo("user");
    const { body: task } = await rest(stack, ann, "POST /v1/tasks", { body: { title: "Water the tomatoes" } });
    const body = { email: bob.email, role: "ROLE_EDITOR" };
    expect((await rest(stack, ann, `POST /v1/tasks/${task.taskId}:share`, { body })).status).toBe(200);
    // The task service knows no addresses: it asked the user service, through Envoy.
    expect(await callsTo("user")).toBeGreaterThan(asked);
    const types = await until("the events of the task", () => {
      const found = records.filter(({ key }) => key === task.taskId).map(({ type }) => type);
      return found.length >= 2 && found;
    });
    expect(types).toEqual(["task.v1.TaskCreated", "task.v1.TaskShared"]);
    stop.abort();
    await tail;
  });
});
