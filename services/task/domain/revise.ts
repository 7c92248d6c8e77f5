import { newId } from "#kit/id.ts";
import { differences } from "./change.ts";
import { nextOccurrence } from "./recurrence.ts";
import { completeTimeAfter } from "./status.ts";
import { Status, type Task, type TaskFields } from "./task.ts";

/** A task that is not stored yet, and has no event yet. */
export function newTask(
  fields: TaskFields,
  { taskId, ownerId, at }: { taskId: string; ownerId: string; at: Date },
): Task {
  return {
    ...fields,
    taskId,
    ownerId,
    occurrence: fields.recurrence && { seriesId: newId(), index: 1 },
    createTime: at,
    updateTime: at,
    completeTime: fields.status === Status.DONE ? at : null,
    revision: 1n,
    eventSequence: 0n,
  };
}

/** The task with other fields, one revision later. A new rule begins a new series. */
export function revised(task: Task, fields: TaskFields, at: Date): Task {
  const isNewRule = differences(task, fields).includes("recurrence");
  return {
    ...task,
    ...fields,
    occurrence: isNewRule ? fields.recurrence && { seriesId: newId(), index: 1 } : task.occurrence,
    updateTime: at,
    completeTime: completeTimeAfter(task, fields.status, at),
    revision: task.revision + 1n,
  };
}

/** The task that comes after a done one; undefined when it does not recur or the series is over. */
export function successorOf(done: Task, homeZone: string): Task | undefined {
  const { due, recurrence, occurrence, completeTime } = done;
  if (due === null || recurrence === null || occurrence === null || completeTime === null) return undefined;
  const next = nextOccurrence({ due, recurrence, index: occurrence.index, completeTime, homeZone });
  if (next === undefined) return undefined;
  const task = newTask(
    { ...done, status: Status.OPEN, due: next.due },
    { taskId: newId(), ownerId: done.ownerId, at: completeTime },
  );
  return { ...task, occurrence: { seriesId: occurrence.seriesId, index: next.index } };
}
