import type { DescMethodUnary, Message } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import type { Reminder } from "#gen/task/v1/reminder_pb.js";
import { Format } from "#gen/task/v1/task_import_pb.js";
import { Role, type Task } from "#gen/task/v1/task_pb.js";
import { TaskService } from "#gen/task/v1/task_service_pb.js";
import { openDatabase } from "#kit/db/database.ts";
import { Code, type ServiceError } from "#kit/errors.ts";
import { policyOf } from "#kit/grpc/policy.ts";
import { newId } from "#kit/id.ts";
import { purgeAnswers } from "#kit/idempotency/purge.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import { until } from "../../_util/until.ts";
import { type Caller, refusal, startStage, type TaskStage } from "../task/service.ts";

let stage: TaskStage;
let ada: Caller;
beforeAll(async () => {
  stage = await startStage("idempotency");
  ada = stage.person("Ada");
});
afterAll(() => stage.close());

interface Reply<T> {
  message: T;
  replayed: boolean;
}

/** One call with a key. */
async function keyed<T extends Message>(
  who: Caller,
  key: string,
  act: (options: ReturnType<Caller["as"]>) => Promise<T>,
): Promise<Reply<T>> {
  let replayed = false;
  const onHeader = (headers: Record<string, string>) => {
    replayed = headers["idempotency-replayed"] === "true";
  };
  return { message: await act({ ...who.as({ "idempotency-key": key }), onHeader }), replayed };
}

const create = (key: string, title = key, who = ada) =>
  keyed(who, key, (options) => who.client.createTask({ task: { title } }, options));

async function tasksOf({ userId }: Caller, title: string): Promise<number> {
  const { rows } = await stage.sql.query("SELECT count(*)::int AS count FROM task WHERE owner_id = $1 AND title = $2", [
    userId,
    title,
  ]);
  return rows[0].count;
}

async function refusing(table: string, act: () => Promise<void>): Promise<void> {
  await stage.sql.query(`
    CREATE FUNCTION refuse_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused by the test'; END $$;
    CREATE TRIGGER refuse_row BEFORE INSERT ON ${table} FOR EACH ROW EXECUTE FUNCTION refuse_row();`);
  try {
    await act();
  } finally {
    await stage.sql.query(`DROP TRIGGER refuse_row ON ${table}; DROP FUNCTION refuse_row();`);
  }
}

describe("a repeated key", () => {
  const own = { title: "x", due: { date: "2026-11-30" }, recurrence: { rrule: "FREQ=DAILY" } };
  type Act = (options: ReturnType<Caller["as"]>, task: Task) => Promise<Message>;
  const before = { seconds: 3600n };
  const reminders = new Map<string, string>();
  /** The same however often it is asked for. */
  const reminderOf = async (taskId: string) => {
    const known = reminders.get(taskId);
    if (known !== undefined) return known;
    const { reminder } = await ada.client.createReminder({ taskId, before }, ada.as());
    const { reminderId } = reminder as Reminder;
    reminders.set(taskId, reminderId);
    return reminderId;
  };
  const writes: Record<string, Act> = {
    createTask: (options, { taskId }) =>
      ada.client.createTask({ task: { title: "below", parentTaskId: taskId } }, options),
    updateTask: (options, { taskId, etag }) =>
      ada.client.updateTask({ task: { taskId, etag, title: "changed" } }, options),
    completeTask: (options, { taskId, etag }) => ada.client.completeTask({ taskId, etag }, options),
    deleteTask: (options, { taskId }) => ada.client.deleteTask({ taskId }, options),
    shareTask: (options, { taskId }) => ada.client.shareTask({ taskId, email: bob.email, role: Role.EDITOR }, options),
    createComment: (options, { taskId }) => ada.client.createComment({ taskId, text: "hello" }, options),
    createReminder: (options, { taskId }) => ada.client.createReminder({ taskId, before }, options),
    snoozeReminder: async (options, { taskId }) =>
      ada.client.snoozeReminder({ taskId, reminderId: await reminderOf(taskId), duration: { seconds: 60n } }, options),
    deleteReminder: async (options, { taskId }) =>
      ada.client.deleteReminder({ taskId, reminderId: await reminderOf(taskId) }, options),
    createLabel: (options) => ada.client.createLabel({ name: "home" }, options),
    importTasks: (options) => {
      const content = Buffer.from("TYPE,CONTENT,PRIORITY\ntask,imported one,1\ntask,imported two,4\n");
      return ada.client.importTasks({ format: Format.TODOIST_CSV, content }, options);
    },
  };
  let bob: Caller;
  beforeAll(() => {
    bob = stage.person("Bob");
  });

  it.each(Object.keys(writes))("answers %s as the first call did, and does nothing", async (name) => {
    const task = (await ada.client.createTask({ task: own }, ada.as())).task as Task;
    const act = writes[name] as Act;
    const key = newId();
    const first = await keyed(ada, key, (options) => act(options, task));
    const events = await stage.events();
    const second = await keyed(ada, key, (options) => act(options, task));
    expect(second).toEqual({ message: first.message, replayed: true });
    expect(first.replayed).toBe(false);
    expect(await stage.events()).toHaveLength(events.length);
  });

  it("is taken by every write of the service", () => {
    const wanted = TaskService.methods.filter(
      ({ idempotency }) => idempotency !== MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS,
    );
    expect(Object.keys(writes).sort()).toEqual(wanted.map(({ localName }) => localName).sort());
    for (const method of wanted) expect(policyOf(method as DescMethodUnary)?.idempotencyKey).toBe(true);
  });

  it("answers as the first call did, whatever has happened since", async () => {
    const key = newId();
    const { message } = await create(key);
    const { taskId = "" } = message.task ?? {};
    await ada.client.updateTask({ task: { taskId, title: "changed since" } }, ada.as());
    await ada.client.deleteTask({ taskId }, ada.as());
    expect(await create(key)).toEqual({ message, replayed: true });
    expect(await tasksOf(ada, key)).toBe(0);
    expect((await stage.events(taskId)).map(({ fact }) => fact.case)).toEqual([
      "taskCreated",
      "taskUpdated",
      "taskDeleted",
    ]);
  });

  it("with another request is refused", async () => {
    const key = newId();
    await create(key);
    const error = await refusal(create(key, "something else"));
    expect(error).toMatchObject({ code: Code.FAILED_PRECONDITION, reason: ErrorReason.IDEMPOTENCY_KEY_REUSED });
    const label = keyed(ada, key, (options) => ada.client.createLabel({ name: "other" }, options));
    expect(await refusal(label)).toMatchObject({ reason: ErrorReason.IDEMPOTENCY_KEY_REUSED });
    expect(await tasksOf(ada, "something else")).toBe(0);
  });

  it("of somebody else is another key", async () => {
    const key = newId();
    const { message } = await create(key);
    const others = await create(key, "Bob's own", bob);
    expect(others.replayed).toBe(false);
    expect(others.message.task?.taskId).not.toBe(message.task?.taskId);
  });

  it.each(["", "a b", "a".repeat(256)])("must be a key: %j", async (key) => {
    const error = await refusal(create(key, "no key"));
    expect(error.code).toBe(Code.INVALID_ARGUMENT);
    expect(error.fieldViolations.map(({ field }) => field)).toEqual(["idempotency_key"]);
    expect(await tasksOf(ada, "no key")).toBe(0);
  });
});

it("a hundred calls at once with one key make one task; the others get its answer or are asked to wait", async () => {
  const key = newId();
  const settled = await Promise.allSettled(Array.from({ length: 100 }, () => create(key)));
  const answered = settled.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  const refused = settled.flatMap((result) => (result.status === "rejected" ? [result.reason as ServiceError] : []));
  expect(answered.filter(({ replayed }) => !replayed)).toHaveLength(1);
  expect(new Set(answered.map(({ message }) => message.task?.taskId)).size).toBe(1);
  for (const error of refused) {
    expect(error).toMatchObject({ code: Code.ABORTED, reason: ErrorReason.IDEMPOTENCY_KEY_IN_FLIGHT });
    expect(error.retryAfterMs).toBeGreaterThan(0);
  }
  expect(await tasksOf(ada, key)).toBe(1);
  expect(await stage.events(answered[0]?.message.task?.taskId)).toHaveLength(1);
  expect(await create(key)).toMatchObject({ replayed: true });
});

describe("while the first call runs", () => {
  it("the same key is in flight, and free again once the first call has failed", async () => {
    const { taskId = "" } = (await ada.client.createTask({ task: { title: "held" } }, ada.as())).task ?? {};
    const holder = await stage.sql.connect();
    const update = (key: string, timeoutMs: number) =>
      keyed(ada, key, (options) =>
        ada.client.updateTask({ task: { taskId, title: "new" } }, { ...options, timeoutMs }),
      );
    const key = newId();
    await holder.query("BEGIN");
    try {
      await holder.query("SELECT FROM task WHERE task_id = $1 FOR UPDATE", [taskId]);
      const first = refusal(update(key, 700));
      const meanwhile = refusal(waitsForLock().then(() => update(key, 2000)));
      expect(await meanwhile).toMatchObject({ reason: ErrorReason.IDEMPOTENCY_KEY_IN_FLIGHT });
      expect((await first).code).toBe(Code.DEADLINE_EXCEEDED);
    } finally {
      await holder.query("ROLLBACK");
      holder.release();
    }
    // The caller's time was over a little before the server has rolled back.
    const repeated = await until("the key to be free", () => update(key, 2000), { everyMs: 20 });
    expect(repeated).toMatchObject({ replayed: false, message: { task: { title: "new" } } });
  });

  const waitsForLock = () =>
    until(
      "the first call to wait",
      async () => {
        const waiting = await stage.sql.query(
          "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
        );
        return waiting.rows.length > 0;
      },
      { everyMs: 10 },
    );
});

describe("effect and answer", () => {
  it.each(["outbox_event", "idempotency_key"])("are stored together: neither stays when %s fails", async (table) => {
    const key = newId();
    await refusing(table, async () => {
      expect(await refusal(create(key))).toMatchObject({ code: Code.INTERNAL, message: "internal error" });
    });
    const { rows } = await stage.sql.query("SELECT FROM idempotency_key WHERE key = $1", [key]);
    expect([rows.length, await tasksOf(ada, key)]).toEqual([0, 0]);
    expect(await create(key)).toMatchObject({ replayed: false });
  });

  it("leave no trace when the call is refused, so that it can be repeated when it has become possible", async () => {
    const taskId = newId();
    const key = newId();
    const comment = () => keyed(ada, key, (options) => ada.client.createComment({ taskId, text: "x" }, options));
    expect(await refusal(comment())).toMatchObject({ reason: ErrorReason.TASK_NOT_FOUND });
    await ada.client.createTask({ task: { taskId, title: "now it is there" } }, ada.as());
    expect(await comment()).toMatchObject({ replayed: false });
  });

  it("a taken id is refused with a key as without", async () => {
    const { taskId = "" } = (await ada.client.createTask({ task: { title: "x" } }, ada.as())).task ?? {};
    const again = keyed(ada, newId(), (options) => ada.client.createTask({ task: { taskId, title: "y" } }, options));
    expect(await refusal(again)).toMatchObject({ reason: ErrorReason.ALREADY_EXISTS, message: "the task_id is taken" });
  });
});

it("keeps the events of a task in the order of its changes", async () => {
  const { taskId = "" } = (await ada.client.createTask({ task: { title: "busy" } }, ada.as())).task ?? {};
  const write = async (writer: number) => {
    for (let i = 0; i < 8; i += 1) {
      await keyed<Message>(ada, newId(), (options) =>
        i % 2 === 0
          ? ada.client.updateTask({ task: { taskId, title: `${writer} ${i}` } }, options)
          : ada.client
              .completeTask({ taskId }, options)
              .then(() => ada.client.createComment({ taskId, text: "x" }, ada.as())),
      );
    }
  };
  await Promise.all([1, 2, 3, 4].map(write));
  const sequences = (await stage.events(taskId)).map(({ sequence }) => Number(sequence));
  expect(sequences).toEqual(sequences.map((_, i) => i + 1));
  expect(sequences.length).toBeGreaterThan(32);
});

describe("an answer", () => {
  it("is kept for 24 hours; after that the key is new, and the answer goes away", async () => {
    const [expired, alive] = [newId(), newId()];
    for (const key of [expired, alive]) await create(key);
    const { rows } = await stage.sql.query(
      "SELECT extract(epoch FROM expire_time - now())::float8 AS left FROM idempotency_key WHERE key = ANY($1)",
      [[expired, alive]],
    );
    for (const { left } of rows) expect(left / 3600).toBeCloseTo(24, 1);

    const age = "UPDATE idempotency_key SET expire_time = expire_time - interval '24 hours' WHERE key = $1";
    await stage.sql.query(age, [expired]);
    expect(await create(expired, "other than before")).toMatchObject({ replayed: false });
    expect(await create(expired, "other than before")).toMatchObject({ replayed: true });

    await stage.sql.query(age, [expired]);
    expect(await purge()).toBe(1);
    const left = await stage.sql.query("SELECT key FROM idempotency_key WHERE key = ANY($1)", [[expired, alive]]);
    expect(left.rows).toEqual([{ key: alive }]);
    expect(await create(alive)).toMatchObject({ replayed: true });
  });

  async function purge(): Promise<number> {
    const lifecycle = new Lifecycle();
    const { connectionString: url = "" } = stage.sql.options;
    const database = await openDatabase({ url, entities: [], migrations: [], lifecycle, applicationName: "purge" });
    try {
      return await purgeAnswers(database);
    } finally {
      await lifecycle.stop();
    }
  }
});
