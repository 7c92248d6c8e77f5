import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { Role, Status, type Task } from "#gen/task/v1/task_pb.js";
import { Code } from "#kit/errors.ts";
import { newId } from "#kit/id.ts";
import { type Caller, refusal, startStage, type TaskStage, wrongFields } from "./service.ts";

let stage: TaskStage;
let ada: Caller;
let bob: Caller;
let labels: string[];
beforeAll(async () => {
  stage = await startStage("task update");
  ada = stage.person("Ada");
  bob = stage.person("Bob");
  const made = await Promise.all(["a", "b", "c"].map((name) => ada.client.createLabel({ name }, ada.as())));
  labels = made.map(({ label }) => label?.labelId ?? "");
});
afterAll(() => stage.close());

type TaskInit = NonNullable<Parameters<Caller["client"]["updateTask"]>[0]["task"]>;

async function create(task: TaskInit): Promise<Task> {
  const created = await ada.client.createTask({ task }, ada.as());
  return created.task as Task;
}

async function update(task: TaskInit, paths?: string[], caller = ada, headers: Record<string, string> = {}) {
  const updateMask = paths && { paths };
  const answer = await caller.client.updateTask({ task, updateMask }, caller.as(headers));
  return answer.task as Task;
}

const newest = async (taskId: string) => (await stage.events(taskId)).at(-1);

describe("UpdateTask", () => {
  it("changes what is given, counts the change, and tells which fields it was", async () => {
    const task = await create({ title: "one", description: "stays" });
    const after = await update({ taskId: task.taskId, title: "two", priority: 4 });
    expect(after).toMatchObject({ title: "two", description: "stays", priority: 4, revision: 2n });
    expect(after.etag).not.toBe(task.etag);
    expect(await newest(task.taskId)).toMatchObject({
      sequence: 2n,
      title: "two",
      fact: { case: "taskUpdated", value: { changedFields: ["title", "priority"], addedAssigneeIds: [] } },
    });
  });

  it("clears what the mask names and the task does not give", async () => {
    const task = await create({
      title: "x",
      description: "d",
      priority: 3,
      due: { date: "2026-11-30" },
      labelIds: labels,
    });
    const after = await update({ taskId: task.taskId }, ["description", "priority", "due", "label_ids"]);
    expect(after).toMatchObject({ title: "x", description: "", priority: 0, labelIds: [] });
    expect(after.due).toBeUndefined();
  });

  it("replaces everything for a star", async () => {
    const task = await create({ title: "x", description: "d", priority: 3, assigneeIds: [ada.userId] });
    const after = await update({ taskId: task.taskId, title: "only this" }, ["*"]);
    expect(after).toMatchObject({
      title: "only this",
      description: "",
      priority: 0,
      assigneeIds: [],
      ownerId: ada.userId,
    });
  });

  it("tells nothing and counts nothing when nothing changes", async () => {
    const task = await create({ title: "same", due: { date: "2026-11-30" } });
    expect(await update({ taskId: task.taskId, title: "same", due: { date: "2026-11-30" } })).toEqual(task);
    expect(await update({ taskId: task.taskId }, ["description"])).toEqual(task);
    expect(await update({ taskId: task.taskId })).toEqual(task);
    expect(await stage.events(task.taskId)).toHaveLength(1);
  });

  it.each<[string, TaskInit, string[] | undefined, string]>([
    ["an unknown field", { title: "x" }, ["titel"], "update_mask"],
    ["a field that the server sets", {}, ["owner_id"], "update_mask"],
    ["the time of completion", {}, ["complete_time"], "update_mask"],
    ["a title that is cleared", {}, ["title"], "task.title"],
    ["a due without its rule", {}, ["due"], "task.recurrence"],
    ["a day that is none", { due: { date: "2026-02-30" } }, undefined, "task.due.date"],
    ["a foreign label", { labelIds: [newId()] }, undefined, "task.label_ids"],
    ["an unknown assignee", { assigneeIds: [newId()] }, undefined, "task.assignee_ids"],
    ["an unknown parent", { parentTaskId: newId() }, undefined, "task.parent_task_id"],
    ["a project", { projectId: newId() }, undefined, "task.project_id"],
  ])("refuses %s, and changes nothing", async (_, change, paths, field) => {
    const task = await create({ title: "x", due: { date: "2026-11-30" }, recurrence: { rrule: "FREQ=DAILY" } });
    const error = await refusal(update({ taskId: task.taskId, ...change }, paths));
    expect(error.code).toBe(Code.INVALID_ARGUMENT);
    expect(error.fieldViolations.map((violation) => violation.field)).toEqual([field]);
    expect((await ada.client.getTask({ taskId: task.taskId }, ada.as())).task).toEqual(task);
  });

  it("needs to know which task", async () => {
    expect(await wrongFields(update({ title: "x" }))).toEqual(["task.task_id"]);
    expect(await refusal(update({ taskId: newId(), title: "x" }))).toMatchObject({
      reason: ErrorReason.TASK_NOT_FOUND,
    });
  });

  it("looks at nothing that the server sets", async () => {
    const task = await create({ title: "x" });
    const time = { seconds: 1n, nanos: 0 };
    const sent = { ownerId: bob.userId, createTime: time, updateTime: time, completeTime: time, revision: 99n };
    expect(await update({ taskId: task.taskId, ...sent })).toEqual(task);
    const replaced = await update({ taskId: task.taskId, ...sent, title: "y" }, ["*"]);
    expect(replaced).toMatchObject({ ownerId: ada.userId, createTime: task.createTime, revision: 2n });
    expect(replaced.completeTime).toBeUndefined();
  });
});

describe("an update of the status", () => {
  it("completes and reopens as such", async () => {
    const task = await create({ title: "x", due: { date: "2026-11-30" }, recurrence: { rrule: "FREQ=DAILY" } });
    const done = await update({ taskId: task.taskId, status: Status.DONE, title: "y" });
    expect(done.completeTime).toEqual(done.updateTime);
    const reopened = await update({ taskId: task.taskId, status: Status.IN_PROGRESS });
    expect(reopened.completeTime).toBeUndefined();
    const events = await stage.events(task.taskId);
    expect(events.map(({ fact, sequence }) => [sequence, fact.case])).toEqual([
      [1n, "taskCreated"],
      [2n, "taskUpdated"],
      [3n, "taskCompleted"],
      [4n, "taskReopened"],
    ]);
    expect(events[1]?.fact.value).toMatchObject({ changedFields: ["title"] });
    const completed = events[2]?.fact;
    const nextId = completed?.case === "taskCompleted" ? completed.value.nextTaskId : "";
    expect((await ada.client.getTask({ taskId: nextId }, ada.as())).task?.due?.date).toBe("2026-12-01");
  });

  it("takes the ways that there are", async () => {
    const task = await create({ title: "x" });
    const to = (status: Status) => update({ taskId: task.taskId, status });
    await to(Status.IN_PROGRESS);
    await to(Status.CANCELLED);
    expect(await refusal(to(Status.DONE))).toMatchObject({ reason: ErrorReason.TASK_STATE });
    await to(Status.OPEN);
    await to(Status.DONE);
    expect(await refusal(to(Status.CANCELLED))).toMatchObject({
      code: Code.FAILED_PRECONDITION,
      reason: ErrorReason.TASK_STATE,
    });
    expect((await update({ taskId: task.taskId }, ["status"])).status).toBe(Status.OPEN);
  });
});

describe("an update of who is to do it", () => {
  it("makes collaborators of them, who stay when they are not to do it any more", async () => {
    const task = await create({ title: "x" });
    const assigned = await update({ taskId: task.taskId, assigneeIds: [bob.userId] });
    expect(assigned.assigneeIds).toEqual([bob.userId]);
    expect(await newest(task.taskId)).toMatchObject({
      memberIds: [ada.userId, bob.userId],
      fact: { value: { changedFields: ["assignee_ids"], addedAssigneeIds: [bob.userId] } },
    });
    await update({ taskId: task.taskId, title: "bob may" }, undefined, bob);
    const freed = await update({ taskId: task.taskId }, ["assignee_ids"]);
    expect(freed.assigneeIds).toEqual([]);
    expect((await bob.client.getTask({ taskId: task.taskId }, bob.as())).task).toEqual(freed);
  });

  it("raises a viewer, and is the owner's alone to widen", async () => {
    const task = await create({ title: "x", assigneeIds: [bob.userId] });
    const vic = stage.person("Vic");
    await ada.client.shareTask({ taskId: task.taskId, userId: vic.userId, role: Role.VIEWER }, ada.as());
    const assign = (caller: Caller) => update({ taskId: task.taskId, assigneeIds: [vic.userId] }, undefined, caller);
    expect(await refusal(assign(bob))).toMatchObject({ code: Code.PERMISSION_DENIED });
    await assign(ada);
    await update({ taskId: task.taskId, title: "vic may" }, undefined, vic);
  });

  it("asks the user service only about people that the change names", async () => {
    const task = await create({ title: "x" });
    const before = stage.userCalls.length;
    await update({ taskId: task.taskId, title: "y" });
    expect(stage.userCalls).toHaveLength(before);
  });
});

describe("an etag", () => {
  it("lets a change through that was made from the current state, in the message or as If-Match", async () => {
    const task = await create({ title: "x" });
    const second = await update({ taskId: task.taskId, title: "y", etag: task.etag });
    const third = await update({ taskId: task.taskId, title: "z" }, undefined, ada, {
      "if-match": `"0-00000000", "${second.etag}"`,
    });
    expect(third.revision).toBe(3n);
  });

  it("stops a change that was made from an older one, and tells the current etag", async () => {
    const task = await create({ title: "x" });
    const second = await update({ taskId: task.taskId, title: "y" });
    const mismatch = {
      code: Code.ABORTED,
      reason: ErrorReason.ETAG_MISMATCH,
      metadata: { current_etag: second.etag, current_revision: "2" },
    };
    expect(await refusal(update({ taskId: task.taskId, title: "z", etag: task.etag }))).toMatchObject(mismatch);
    const ifMatch = update({ taskId: task.taskId, title: "z" }, undefined, ada, { "if-match": `"${task.etag}"` });
    expect(await refusal(ifMatch)).toMatchObject(mismatch);
    expect(await refusal(update({ taskId: task.taskId, title: "y", etag: task.etag }))).toMatchObject(mismatch);
  });

  it("lets exactly one of fifty changes at once through, each round", async () => {
    let { taskId, etag } = await create({ title: "round 0" });
    for (let round = 1; round <= 5; round += 1) {
      const changes = await Promise.allSettled(
        Array.from({ length: 50 }, (_, i) => update({ taskId, title: `round ${round} by ${i}`, etag })),
      );
      const won = changes.filter((change) => change.status === "fulfilled");
      const lost = changes.filter((change) => change.status === "rejected");
      expect(won).toHaveLength(1);
      expect(new Set(lost.map(({ reason }) => reason.reason))).toEqual(new Set([ErrorReason.ETAG_MISMATCH]));
      const { task } = await ada.client.getTask({ taskId }, ada.as());
      expect(task).toEqual(won[0]?.value);
      expect(task?.revision).toBe(BigInt(round + 1));
      etag = task?.etag ?? "";
    }
    expect((await stage.events(taskId)).map(({ sequence }) => sequence)).toEqual([1n, 2n, 3n, 4n, 5n, 6n]);
  });
});

describe("fields that are not sent", () => {
  it("never change, whatever is sent beside them", async () => {
    const parents = await Promise.all([create({ title: "p" }), create({ title: "q" })]);
    const values: Record<string, TaskInit[]> = {
      title: [{ title: "one" }, { title: "two" }],
      description: [{ description: "one" }, { description: "two" }],
      status: [{ status: Status.OPEN }, { status: Status.IN_PROGRESS }],
      priority: [{ priority: 1 }, { priority: 4 }],
      due: [{ due: { date: "2026-11-30" } }, { due: { dateTime: "2026-12-01T09:00:00", timeZone: "Europe/Berlin" } }],
      parent_task_id: parents.map(({ taskId }) => ({ parentTaskId: taskId })),
      label_ids: [{ labelIds: labels.slice(0, 1) }, { labelIds: labels.slice(1) }],
      assignee_ids: [{ assigneeIds: [ada.userId] }, { assigneeIds: [bob.userId, ada.userId] }],
      recurrence: [{ recurrence: { rrule: "FREQ=DAILY" } }, { recurrence: { rrule: "FREQ=WEEKLY" } }],
    };
    const names = Object.keys(values);
    const pick = (name: string, i: number) => values[name]?.[i % 2] ?? {};
    let task = await create(Object.assign({}, ...names.map((name) => pick(name, 0))));
    for (let round = 0; round < 60; round += 1) {
      const mask = names.filter(() => Math.random() < 0.4);
      // Everything is sent; only what the mask names may count.
      const sent = Object.assign({}, ...names.map((name) => pick(name, Math.floor(Math.random() * 2))));
      if (mask.length === 0) continue;
      const after = await update({ ...sent, taskId: task.taskId }, mask);
      const kept = names.filter((name) => !mask.includes(name));
      for (const name of kept) expect([name, view(after, name)]).toEqual([name, view(task, name)]);
      for (const name of mask) expect(view(after, name)).toMatchObject(view(sent, name));
      expect(after).toMatchObject({ ownerId: ada.userId, createTime: task.createTime });
      task = after;
    }
  });
});

/** One field of a task, by its proto name, in a form that can be compared. */
function view(task: TaskInit, name: string): object {
  const local = name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return { value: task[local as keyof TaskInit] };
}
