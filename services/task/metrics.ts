import { logger } from "#observability/logger.ts";
import { counter } from "#observability/metrics.ts";

const log = logger("task");
const created = counter("taskmesh.task.created");
const updated = counter("taskmesh.task.updated");
const completed = counter("taskmesh.task.completed");
const deleted = counter("taskmesh.task.deleted");
const shared = counter("taskmesh.task.shared");
const imported = counter("taskmesh.task.imported");
const comments = counter("taskmesh.task.comments");
const reminders = counter("taskmesh.task.reminders");

interface Subject {
  taskId: string;
}

export function reportTaskCreated({ taskId }: Subject): void {
  created.add(1);
  log.debug({ "taskmesh.task.id": taskId }, "task created");
}

export function reportTaskUpdated({ taskId }: Subject): void {
  updated.add(1);
  log.debug({ "taskmesh.task.id": taskId }, "task updated");
}

export function reportTaskCompleted({ taskId }: Subject): void {
  completed.add(1);
  log.debug({ "taskmesh.task.id": taskId }, "task completed");
}

/** `count` includes the subtasks. */
export function reportTasksDeleted({ taskId }: Subject, count: number): void {
  deleted.add(count);
  log.debug({ "taskmesh.task.id": taskId, count }, "tasks deleted");
}

export function reportTaskShared({ taskId }: Subject): void {
  shared.add(1);
  log.debug({ "taskmesh.task.id": taskId }, "task shared");
}

export function reportTasksImported(count: number, skipped: number): void {
  imported.add(count);
  log.info({ count, skipped }, "tasks imported");
}

export function reportCommentCreated({ taskId }: Subject): void {
  comments.add(1);
  log.debug({ "taskmesh.task.id": taskId }, "comment created");
}

export function reportReminderSet({ taskId }: Subject): void {
  reminders.add(1);
  log.debug({ "taskmesh.task.id": taskId }, "reminder set");
}
