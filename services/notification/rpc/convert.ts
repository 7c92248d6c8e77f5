import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type NotificationSchema, NotificationType } from "#gen/notification/v1/notification_pb.js";
import type { NotificationKind, NotificationRow } from "../db/notification.entity.ts";
import { etagOf } from "../domain/etag.ts";

const typeOfKind = {
  task_assigned: NotificationType.TASK_ASSIGNED,
  task_shared: NotificationType.TASK_SHARED,
  task_updated: NotificationType.TASK_UPDATED,
  task_completed: NotificationType.TASK_COMPLETED,
  task_deleted: NotificationType.TASK_DELETED,
  comment_added: NotificationType.COMMENT_ADDED,
  registration_attempted: NotificationType.REGISTRATION_ATTEMPTED,
  session_compromised: NotificationType.SESSION_COMPROMISED,
  api_key_expiring: NotificationType.API_KEY_EXPIRING,
} satisfies Record<NotificationKind, NotificationType>;

type Entry = Omit<NotificationRow, "recipientId" | "sourceEventId" | "position" | "readRevision">;

export function notificationToProto(row: Entry): MessageInitShape<typeof NotificationSchema> {
  return {
    notificationId: row.notificationId,
    type: typeOfKind[row.kind],
    title: row.title,
    body: row.body,
    taskId: row.taskId ?? "",
    readTime: row.readTime ? timestampFromDate(row.readTime) : undefined,
    createTime: timestampFromDate(row.createTime),
    traceId: row.traceId,
    etag: etagOf(row),
  };
}
