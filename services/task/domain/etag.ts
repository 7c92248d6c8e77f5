import type { Task } from "./task.ts";

/** Opaque to clients. Holds a part of the id, so that the etag of another task never matches. */
export function etagOf({ taskId, revision }: Pick<Task, "taskId" | "revision">): string {
  return `${revision.toString(36)}-${taskId.slice(-8)}`;
}

/** What a change of the task can be made to depend on. */
export function versionOf(task: Pick<Task, "taskId" | "revision">): { etag: string; revision: bigint } {
  return { etag: etagOf(task), revision: task.revision };
}
