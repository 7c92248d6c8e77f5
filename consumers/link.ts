import { type Notification, NotificationType } from "#gen/notification/v1/notification_pb.js";

/** Where a recipient reads on: the task that a notification is about as long as there is one, else the product. */
export function linkOf(
  publicUrl: string,
  { taskId, type }: Pick<Notification, "taskId" | "type">,
): { url: string; kind: "task" | "home" } {
  const home = `${publicUrl.replace(/\/+$/, "")}/`;
  const hasTask = taskId !== "" && type !== NotificationType.TASK_DELETED;
  return hasTask ? { url: `${home}tasks/${encodeURIComponent(taskId)}`, kind: "task" } : { url: home, kind: "home" };
}
