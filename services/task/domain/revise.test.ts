import { expect, it } from "vitest";
import { newTask, revised, successorOf } from "./revise.ts";
import { Status, type TaskFields } from "./task.ts";

const at = new Date("2026-11-21T12:00:00Z");
const later = new Date("2026-11-22T12:00:00Z");
const fields: TaskFields = {
  title: "Water the plants",
  description: "All of them",
  status: Status.OPEN,
  priority: 2,
  due: { local: "2026-11-30", timeZone: null },
  parentTaskId: null,
  labelIds: ["l"],
  assigneeIds: ["bob"],
  recurrence: { rrule: "FREQ=WEEKLY;COUNT=2", exdates: [], fromCompletion: false },
};
const task = newTask(fields, { taskId: "t", ownerId: "ada", at });

it("begins at revision 1, without an event, as the first of its series", () => {
  expect(task).toMatchObject({ revision: 1n, eventSequence: 0n, completeTime: null, occurrence: { index: 1 } });
  expect(newTask({ ...fields, recurrence: null }, { taskId: "t", ownerId: "ada", at }).occurrence).toBeNull();
  expect(newTask({ ...fields, status: Status.DONE }, { taskId: "t", ownerId: "ada", at }).completeTime).toBe(at);
});

it("counts revisions, and keeps what the server set", () => {
  const after = revised(task, { ...task, title: "New" }, later);
  expect(after).toEqual({ ...task, title: "New", revision: 2n, updateTime: later });
});

it("begins a new series with a new rule, and only then", () => {
  const moved = revised(task, { ...task, due: { local: "2026-12-01", timeZone: null } }, later);
  expect(moved.occurrence).toEqual(task.occurrence);
  const ruled = revised(
    task,
    { ...task, recurrence: { rrule: "FREQ=DAILY", exdates: [], fromCompletion: false } },
    later,
  );
  expect(ruled.occurrence?.index).toBe(1);
  expect(ruled.occurrence?.seriesId).not.toBe(task.occurrence?.seriesId);
  expect(revised(task, { ...task, recurrence: null }, later).occurrence).toBeNull();
});

it("is followed by an open task that is like it, until the series is over", () => {
  const done = revised(task, { ...task, status: Status.DONE }, later);
  const next = successorOf(done, "UTC");
  expect(next).toMatchObject({
    ...fields,
    status: Status.OPEN,
    due: { local: "2026-12-07", timeZone: null },
    ownerId: "ada",
    occurrence: { seriesId: task.occurrence?.seriesId, index: 2 },
    revision: 1n,
    createTime: later,
    completeTime: null,
  });
  expect(next?.taskId).not.toBe(task.taskId);
  expect(next && successorOf(revised(next, { ...next, status: Status.DONE }, later), "UTC")).toBeUndefined();
});

it("is followed by nothing when it does not recur", () => {
  expect(successorOf({ ...task, recurrence: null, status: Status.DONE, completeTime: at }, "UTC")).toBeUndefined();
});
