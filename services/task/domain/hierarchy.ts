import { invalidArgument } from "#kit/errors.ts";
import { limits } from "./task.ts";

/** Where a task would hang in the tree of its owner. */
export interface Place {
  taskId: string;
  ownerId: string;
  /** The parent and what it is a part of in turn, the parent first; empty when it is not there or not to be seen. */
  ancestors: readonly { taskId: string; ownerId: string }[];
  /** Levels of the task with everything below it: 1 without subtasks. */
  height: number;
}

/** Throws INVALID_ARGUMENT for a parent that is absent, somebody else's, below the task itself, or too deep. */
export function mustFitBelow({ taskId, ownerId, ancestors, height }: Place): void {
  const parent = ancestors[0];
  if (parent === undefined || parent.ownerId !== ownerId) throw wrong("there is no such task with the same owner");
  if (ancestors.some((ancestor) => ancestor.taskId === taskId)) throw wrong("a task cannot be a part of itself");
  if (ancestors.length + height > limits.levels) throw wrong(`tasks can be ${limits.levels} levels deep at most`);
}

function wrong(description: string) {
  return invalidArgument("task.parent_task_id", description);
}
