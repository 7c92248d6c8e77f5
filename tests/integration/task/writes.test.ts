import { fromBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TaskEventSchema } from "#gen/task/v1/task_events_pb.js";
import { Role, type Task } from "#gen/task/v1/task_pb.js";
import { Code } from "#kit/errors.ts";
import { newId } from "#kit/id.ts";
import { type Caller, refusal, startStage, type TaskStage } from "./service.ts";

let stage: TaskStage;
let ada: Caller;
beforeAll(async () => {
  stage = await startStage("task writes");
  ada = stage.person("Ada");
});
afterAll(() => stage.close());

type TaskInit = NonNullable<Parameters<Caller["client"]["createTask"]>[0]["task"]>;

async function create(task: TaskInit): Promise<Task> {
  return (await ada.client.createTask({ task }, ada.as())).task as Task;
}

async function count(table: string, where = "true"): Promise<number> {
  const { rows } = await stage.sql.query(`SELECT count(*)::int AS count FROM ${table} WHERE ${where}`);
  return rows[0].count;
}

/** Runs `act` while every row that goes into a table is refused at commit. */
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

describe("a change and its event", () => {
  const failing: [string, (task: Task) => Promise<unknown>][] = [
    ["CreateTask", () => create({ title: "new" })],
    ["CreateTask below another", (task) => create({ title: "new", parentTaskId: task.taskId })],
    ["UpdateTask", ({ taskId }) => ada.client.updateTask({ task: { taskId, title: "y" } }, ada.as())],
    ["CompleteTask", ({ taskId }) => ada.client.completeTask({ taskId }, ada.as())],
    ["DeleteTask", ({ taskId }) => ada.client.deleteTask({ taskId }, ada.as())],
    ["CreateComment", ({ taskId }) => ada.client.createComment({ taskId, text: "x" }, ada.as())],
    [
      "ShareTask",
      ({ taskId }) => ada.client.shareTask({ taskId, userId: stage.person("Bob").userId, role: Role.VIEWER }, ada.as()),
    ],
  ];

  it.each(failing)("of %s are stored together or not at all", async (_, act) => {
    const task = await create({ title: "x", due: { date: "2026-11-30" }, recurrence: { rrule: "FREQ=DAILY" } });
    const tables = ["task", "collaborator", "comment", "task_activity", "outbox_event"];
    const before = await Promise.all(tables.map((table) => count(table)));
    await refusing("outbox_event", async () => {
      expect(await refusal(act(task))).toMatchObject({ code: Code.INTERNAL, message: "internal error" });
    });
    expect(await Promise.all(tables.map((table) => count(table)))).toEqual(before);
    expect((await ada.client.getTask({ taskId: task.taskId }, ada.as())).task).toEqual(task);
    await act(task);
  });
});

describe("the events of a task", () => {
  it("are counted without holes, in the order in which they are sent, whoever writes at once", async () => {
    const { taskId } = await create({ title: "busy" });
    const people = await Promise.all(
      Array.from({ length: 4 }, async (_, i) => {
        const person = stage.person(`P${i}`);
        await ada.client.shareTask({ taskId, userId: person.userId, role: Role.EDITOR }, ada.as());
        return person;
      }),
    );
    const write = async (person: Caller) => {
      for (let i = 0; i < 8; i += 1) {
        if (i % 2 === 0)
          await person.client.updateTask({ task: { taskId, title: `${person.userId} ${i}` } }, person.as());
        else await person.client.createComment({ taskId, text: `${i}` }, person.as());
      }
    };
    await Promise.all(people.map(write));
    const sequences = (await stage.events(taskId)).map(({ sequence }) => Number(sequence));
    expect(sequences).toEqual(Array.from({ length: 1 + 4 + 32 }, (_, i) => i + 1));
  });

  it("stay in order when a whole tree is deleted while its parts change", async () => {
    for (let round = 0; round < 8; round += 1) {
      const top = await create({ title: "top" });
      const children = await Promise.all(
        Array.from({ length: 6 }, (_, i) => create({ title: `c${i}`, parentTaskId: top.taskId })),
      );
      const changes = [...children, ...children].map(({ taskId }) =>
        ada.client.updateTask({ task: { taskId, description: newId() } }, ada.as()),
      );
      const [deleted] = await Promise.allSettled([ada.client.deleteTask({ taskId: top.taskId }, ada.as()), ...changes]);
      expect(deleted).toMatchObject({ status: "fulfilled" });
      for (const { taskId } of children) {
        const events = await stage.events(taskId);
        expect(events.map(({ sequence }) => Number(sequence))).toEqual(events.map((_, i) => i + 1));
        expect(events.at(-1)?.fact.case).toBe("taskDeleted");
      }
    }
  });
});

it("sends what happened to Kafka's outbox with the names that consumers know", async () => {
  const task = await create({ title: "named" });
  const { rows } = await stage.sql.query("SELECT * FROM outbox_event WHERE key = $1", [task.taskId]);
  expect(rows).toMatchObject([
    { topic: "task.events.v1", key: task.taskId, type: "task.v1.TaskCreated", sequence: "1" },
  ]);
  const event = fromBinary(TaskEventSchema, rows[0].payload);
  expect(event.eventId).toBe(rows[0].event_id);
});
