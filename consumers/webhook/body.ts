import { toJson } from "@bufbuild/protobuf";
import { type Notification, NotificationSchema, NotificationType } from "#gen/notification/v1/notification_pb.js";

/** What a webhook is told, as JSON: the kind of the event, when it happened, and the notification as the API shows it. */
export function bodyOf(notification: Notification | undefined, now: Date): string {
  if (notification === undefined) return JSON.stringify({ type: "test", timestamp: now.toISOString(), data: {} });
  const { createTime, ...data } = toJson(NotificationSchema, notification) as Record<string, string>;
  const type = `notification.${NotificationType[notification.type]?.toLowerCase() ?? "unspecified"}`;
  return JSON.stringify({ type, timestamp: createTime, data: { ...data, createTime } });
}
