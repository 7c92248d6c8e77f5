import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { Role, Status } from "#gen/task/v1/task_pb.js";
import { Code } from "#kit/errors.ts";
import { newId } from "#kit/id.ts";
import { type Caller, refusal, startStage, type TaskStage, wrongFields } from "./service.ts";

let stage: TaskStage;
let ada: Caller;
let bob: Caller;
beforeAll(async () => {
  stage = await startStage("task tasks");
  ada = stage.person("Ada", "Asia/Tokyo");
  bob = stage.person("Bob");
});
afterAll(() => stage.close());

type TaskInit = NonNullable<Parameters<Caller["client"]["createTask"]>[0]["task"]>;

async function create(task: TaskInit, caller = ada) {
  const { task: created } = await caller.client.createTask({ task }, caller.as());
  if (created === undefined) throw new Error("no task");
  return created;
}
const get = async (taskId: string, caller = ada) => (await caller.client.getTask({ taskId }, caller.as())).task;
const facts = async (taskId: string) => (await stage.events(taskId)).map(({ fact }) => fact.case);

describe("CreateTask", () => {
  it("stores what is given, and tells of it once", async () => {
    const label = await ada.client.createLabel({ name: "Home" }, ada.as());
    const labelId = label.label?.labelId ?? "";
    const task = await create({
      title: "  Water the plants  ",
      description: "All\nof them",
      status: Status.IN_PROGRESS,
      priority: 3,
      due: { dateTime: "2026-11-30T09:00:00", timeZone: "Europe/Berlin" },
      labelIds: [labelId],
      assigneeIds: [bob.userId, ada.userId],
      recurrence: { rrule: "FREQ=WEEKLY", exdates: ["2026-12-25"], fromCompletion: true },
    });
    expect(task).toMatchObject({ title: "  Water the plants  ", ownerId: ada.userId, revision: 1n });
    expect(await get(task.taskId)).toEqual(task);
    expect(await get(task.taskId, bob)).toEqual(task);

    const [event, ...others] = await stage.events(task.taskId);
    expect(others).toEqual([]);
    expect(event).toMatchObject({
      sequence: 1n,
      actorId: ada.userId,
      ownerId: ada.userId,
      taskId: task.taskId,
      title: task.title,
      occurTime: task.createTime,
      memberIds: [ada.userId, bob.userId],
      fact: { case: "taskCreated", value: { assigneeIds: [bob.userId, ada.userId], automatic: false } },
    });
  });

  it("takes an id from the client once, also when it is somebody else's", async () => {
    const taskId = newId();
    await create({ taskId: taskId.toUpperCase(), title: "mine" });
    const again = { code: Code.ALREADY_EXISTS, reason: ErrorReason.ALREADY_EXISTS };
    const own = await refusal(create({ taskId, title: "again" }));
    const foreign = await refusal(create({ taskId, title: "again" }, bob));
    expect(own).toMatchObject(again);
    expect(foreign).toMatchObject({ ...again, message: own.message });
    expect(await get(taskId)).toMatchObject({ title: "mine" });
    expect(await facts(taskId)).toEqual(["taskCreated"]);
  });

  it("looks at nothing that the server sets", async () => {
    const time = { seconds: 1n, nanos: 0 };
    const task = await create({
      title: "x",
      ownerId: bob.userId,
      createTime: time,
      updateTime: time,
      completeTime: time,
      revision: 99n,
      etag: "99-00000000",
    });
    expect(task).toMatchObject({ ownerId: ada.userId, revision: 1n });
    expect(task.completeTime).toBeUndefined();
    expect(task.createTime?.seconds).toBeGreaterThan(1_000_000n);
    expect(task.etag).not.toBe("99-00000000");
  });

  it("knows when a task that is created as done was done", async () => {
    const task = await create({ title: "x", status: Status.DONE });
    expect(task.completeTime).toEqual(task.createTime);
  });

  it.each<[string, TaskInit, string]>([
    ["no title", {}, "task.title"],
    ["a blank title", { title: " \t" }, "task.title"],
    ["two lines of title", { title: "a\nb" }, "task.title"],
    ["too long a title", { title: "x".repeat(501) }, "task.title"],
    ["a priority above urgent", { title: "x", priority: 5 }, "task.priority"],
    ["a day that is none", { title: "x", due: { date: "2026-02-30" } }, "task.due.date"],
    ["an hour that is none", { title: "x", due: { dateTime: "2026-11-30T25:00:00" } }, "task.due.date_time"],
    [
      "both kinds of due",
      { title: "x", due: { date: "2026-11-30", dateTime: "2026-11-30T09:00:00" } },
      "task.due.date_time",
    ],
    [
      "a zone that is none",
      { title: "x", due: { dateTime: "2026-11-30T09:00:00", timeZone: "Mars/X" } },
      "task.due.time_zone",
    ],
    [
      "a rule that is none",
      { title: "x", due: { date: "2026-11-30" }, recurrence: { rrule: "often" } },
      "task.recurrence.rrule",
    ],
    ["a rule without a due", { title: "x", recurrence: { rrule: "FREQ=DAILY" } }, "task.recurrence"],
    ["a project", { title: "x", projectId: newId() }, "task.project_id"],
    ["a parent that is not there", { title: "x", parentTaskId: newId() }, "task.parent_task_id"],
    ["a label that is not there", { title: "x", labelIds: [newId()] }, "task.label_ids"],
    ["an assignee who is nobody", { title: "x", assigneeIds: [newId()] }, "task.assignee_ids"],
    ["an id that is none", { title: "x", taskId: "1" }, "task.task_id"],
    ["a status that is none", { title: "x", status: 9 as Status }, "task.status"],
  ])("refuses %s, and stores nothing", async (_, task, field) => {
    const before = (await stage.events()).length;
    const error = await refusal(create(task));
    expect(error.code).toBe(Code.INVALID_ARGUMENT);
    expect(error.fieldViolations.map((violation) => violation.field)).toEqual([field]);
    expect(await stage.events()).toHaveLength(before);
  });

  it("refuses no task at all", async () => {
    expect(await wrongFields(ada.client.createTask({}, ada.as()))).toEqual(["task"]);
  });

  it("refuses a label and a parent of somebody else as if they were not there", async () => {
    const label = await bob.client.createLabel({ name: "Bob's" }, bob.as());
    const parent = await create({ title: "Bob's" }, bob);
    await bob.client.shareTask({ taskId: parent.taskId, userId: ada.userId, role: Role.EDITOR }, bob.as());
    const labelIds = [label.label?.labelId ?? ""];
    const foreignLabel = await refusal(create({ title: "x", labelIds }));
    const absentLabel = await refusal(create({ title: "x", labelIds: [newId()] }));
    expect(foreignLabel.message).toBe(absentLabel.message);
    expect(await wrongFields(create({ title: "x", parentTaskId: parent.taskId }))).toEqual(["task.parent_task_id"]);
  });
});

describe("subtasks", () => {
  it("go five levels deep, and no circle", async () => {
    const ids: string[] = [];
    for (let level = 1; level <= 5; level += 1) {
      ids.push((await create({ title: `level ${level}`, parentTaskId: ids.at(-1) ?? "" })).taskId);
    }
    expect(await wrongFields(create({ title: "level 6", parentTaskId: ids[4] }))).toEqual(["task.parent_task_id"]);
    const move = (taskId = "", parentTaskId = "") =>
      ada.client.updateTask({ task: { taskId, parentTaskId }, updateMask: { paths: ["parent_task_id"] } }, ada.as());
    expect(await wrongFields(move(ids[0], ids[0]))).toEqual(["task.parent_task_id"]);
    expect(await wrongFields(move(ids[1], ids[4]))).toEqual(["task.parent_task_id"]);
    const top = await create({ title: "another" });
    expect(await wrongFields(move(ids[0], top.taskId))).toEqual(["task.parent_task_id"]);
    await move(ids[1], top.taskId);
    await move(ids[4], "");
    expect((await get(ids[4] ?? ""))?.parentTaskId).toBe("");
  });

  it("cannot be hung into a circle by two at once", async () => {
    for (let round = 0; round < 10; round += 1) {
      const [a, b] = await Promise.all([create({ title: "a" }), create({ title: "b" })]);
      const move = (taskId: string, parentTaskId: string) =>
        ada.client.updateTask({ task: { taskId, parentTaskId } }, ada.as());
      const moves = await Promise.allSettled([move(a.taskId, b.taskId), move(b.taskId, a.taskId)]);
      expect(moves.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    }
  });
});

describe("CompleteTask", () => {
  it("marks the task, tells of it, and stays as it is the second time", async () => {
    const task = await create({ title: "once" });
    const first = await ada.client.completeTask({ taskId: task.taskId }, ada.as());
    expect(first.task).toMatchObject({ status: Status.DONE, revision: 2n, completeTime: first.task?.updateTime });
    expect(first.nextTask).toBeUndefined();
    expect(await ada.client.completeTask({ taskId: task.taskId }, ada.as())).toEqual(first);
    expect(await facts(task.taskId)).toEqual(["taskCreated", "taskCompleted"]);
  });

  it("brings the next of a series, with all that belongs to it, once", async () => {
    const label = await ada.client.createLabel({ name: "Series" }, ada.as());
    const task = await create({
      title: "weekly",
      description: "d",
      priority: 2,
      labelIds: [label.label?.labelId ?? ""],
      assigneeIds: [bob.userId],
      due: { date: "2026-11-30" },
      recurrence: { rrule: "FREQ=WEEKLY;BYDAY=MO,WE" },
    });
    const eve = stage.person("Eve");
    await ada.client.shareTask({ taskId: task.taskId, userId: eve.userId, role: Role.COMMENTER }, ada.as());

    const answers = await Promise.all(
      [bob, ada, bob].map((caller) => caller.client.completeTask({ taskId: task.taskId }, caller.as())),
    );
    const next = answers[0]?.nextTask;
    expect(answers.map(({ nextTask }) => nextTask)).toEqual([next, next, next]);
    expect(next).toMatchObject({
      title: "weekly",
      description: "d",
      priority: 2,
      status: Status.OPEN,
      labelIds: task.labelIds,
      assigneeIds: task.assigneeIds,
      due: { date: "2026-12-02" },
      recurrence: task.recurrence,
      ownerId: ada.userId,
      revision: 1n,
    });
    const nextId = next?.taskId ?? "";
    const { collaborators } = await eve.client.listCollaborators({ taskId: nextId }, eve.as());
    expect(collaborators.map(({ userId, role }) => [userId, role])).toEqual(
      expect.arrayContaining([
        [ada.userId, Role.OWNER],
        [bob.userId, Role.EDITOR],
        [eve.userId, Role.COMMENTER],
      ]),
    );
    const [created, ...more] = await stage.events(nextId);
    expect(more).toEqual([]);
    expect(created?.fact).toMatchObject({ case: "taskCreated", value: { automatic: true } });
    const completed = (await stage.events(task.taskId)).at(-1);
    expect(completed?.fact).toMatchObject({ case: "taskCompleted", value: { nextTaskId: nextId } });
  });

  it("brings no second next when a task is reopened and done again, but a new one when that is gone", async () => {
    const task = await create({ title: "again", due: { date: "2026-11-30" }, recurrence: { rrule: "FREQ=DAILY" } });
    const complete = () => ada.client.completeTask({ taskId: task.taskId }, ada.as());
    const reopen = () => ada.client.updateTask({ task: { taskId: task.taskId, status: Status.OPEN } }, ada.as());
    const first = await complete();
    await reopen();
    expect((await complete()).nextTask).toEqual(first.nextTask);
    await ada.client.deleteTask({ taskId: first.nextTask?.taskId }, ada.as());
    await reopen();
    const third = await complete();
    expect(third.nextTask?.due?.date).toBe("2026-12-01");
    expect(third.nextTask?.taskId).not.toBe(first.nextTask?.taskId);
  });

  it("ends the series with its COUNT", async () => {
    const recurrence = { rrule: "FREQ=DAILY;COUNT=2" };
    const task = await create({ title: "twice", due: { date: "2026-11-30" }, recurrence });
    const { nextTask } = await ada.client.completeTask({ taskId: task.taskId }, ada.as());
    const last = await ada.client.completeTask({ taskId: nextTask?.taskId }, ada.as());
    expect(last.nextTask).toBeUndefined();
  });

  it("asks where the person lives only when the day of completion decides", async () => {
    const recurrence = { rrule: "FREQ=DAILY", fromCompletion: true };
    const { client, as } = stage.person("Zoe", ada.timeZone);
    const add = async (title: string, due: { date?: string; dateTime?: string; timeZone?: string }) =>
      (await client.createTask({ task: { title, due, recurrence } }, as())).task?.taskId;
    const floating = await add("f", { date: "2026-11-30" });
    const zoned = await add("z", { dateTime: "2026-11-30T09:00:00", timeZone: "UTC" });
    const before = stage.userCalls.length;
    await client.completeTask({ taskId: zoned }, as());
    expect(stage.userCalls).toHaveLength(before);
    const { nextTask } = await client.completeTask({ taskId: floating }, as());
    expect(stage.userCalls).toHaveLength(before + 1);
    const tomorrow = new Date(Date.now() + 9 * 3_600_000 + 86_400_000).toISOString().slice(0, 10);
    expect(nextTask?.due?.date).toBe(tomorrow);
  });

  it("refuses a task that is cancelled, and an etag of the past", async () => {
    const task = await create({ title: "x" });
    await ada.client.updateTask({ task: { taskId: task.taskId, status: Status.CANCELLED } }, ada.as());
    expect(await refusal(ada.client.completeTask({ taskId: task.taskId }, ada.as()))).toMatchObject({
      code: Code.FAILED_PRECONDITION,
      reason: ErrorReason.TASK_STATE,
    });
    expect(await refusal(ada.client.completeTask({ taskId: task.taskId, etag: task.etag }, ada.as()))).toMatchObject({
      reason: ErrorReason.ETAG_MISMATCH,
    });
  });
});

describe("DeleteTask", () => {
  it("takes the subtasks with it, and tells of each to those who could see it", async () => {
    const top = await create({ title: "top" });
    const middle = await create({ title: "middle", parentTaskId: top.taskId, assigneeIds: [bob.userId] });
    const low = await create({ title: "low", parentTaskId: middle.taskId });
    const other = await create({ title: "other" });
    await ada.client.deleteTask({ taskId: top.taskId, etag: top.etag }, ada.as());
    for (const { taskId } of [top, middle, low]) {
      expect(await refusal(get(taskId))).toMatchObject({ reason: ErrorReason.TASK_NOT_FOUND });
      expect(await facts(taskId)).toEqual(["taskCreated", "taskDeleted"]);
    }
    expect((await stage.events(middle.taskId)).at(-1)).toMatchObject({
      sequence: 2n,
      actorId: ada.userId,
      memberIds: expect.arrayContaining([ada.userId, bob.userId]),
    });
    expect(await get(other.taskId)).toEqual(other);
    const { tasks } = await ada.client.listTasks({ pageSize: 1000 }, ada.as());
    expect(tasks.map(({ taskId }) => taskId)).not.toContain(low.taskId);
  });

  it("answers as for a task that never was the second time", async () => {
    const task = await create({ title: "x" });
    await ada.client.deleteTask({ taskId: task.taskId }, ada.as());
    const again = await refusal(ada.client.deleteTask({ taskId: task.taskId }, ada.as()));
    const never = await refusal(ada.client.deleteTask({ taskId: newId() }, ada.as()));
    expect(again).toMatchObject({ code: Code.NOT_FOUND, reason: never.reason, message: never.message });
  });

  it("refuses an etag of the past", async () => {
    const task = await create({ title: "x" });
    await ada.client.updateTask({ task: { taskId: task.taskId, title: "y" } }, ada.as());
    const error = await refusal(
      ada.client.deleteTask({ taskId: task.taskId }, ada.as({ "if-match": `"${task.etag}"` })),
    );
    expect(error.reason).toBe(ErrorReason.ETAG_MISMATCH);
    expect(await get(task.taskId)).toMatchObject({ title: "y" });
  });
});
