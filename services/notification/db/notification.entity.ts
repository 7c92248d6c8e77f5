import { defineEntity, type InferEntity, p } from "@mikro-orm/core";

export type NotificationKind =
  | "task_assigned"
  | "task_shared"
  | "task_updated"
  | "task_completed"
  | "task_deleted"
  | "comment_added"
  | "registration_attempted"
  | "session_compromised"
  | "api_key_expiring"
  | "alert_raised"
  | "alert_acknowledged"
  | "task_reminder"
  | "webhook_disabled";

/** One entry of a person's inbox. An event makes at most one for each person. */
export const NotificationEntity = defineEntity({
  name: "Notification",
  tableName: "notification",
  properties: {
    notificationId: p.uuid().primary(),
    recipientId: p.uuid(),
    /** The event that it tells of. */
    sourceEventId: p.uuid(),
    /** The revision of the inbox that it came with: the order of the inbox, without ties. */
    position: p.bigint("bigint"),
    kind: p.text().$type<NotificationKind>(),
    title: p.text(),
    body: p.text(),
    taskId: p.uuid().nullable(),
    /** The revision of the inbox that reading it made; empty while it is unread. */
    readRevision: p.bigint("bigint").nullable(),
    readTime: p.datetime().columnType("timestamptz(3)").nullable(),
    createTime: p.datetime().columnType("timestamptz(3)"),
    traceId: p.text(),
  },
  uniques: [{ name: "notification_recipient_position", properties: ["recipientId", "position"] }],
  indexes: [
    {
      name: "notification_unread",
      expression: "create index notification_unread on notification (recipient_id, position) where read_time is null",
    },
    {
      name: "notification_read_revision",
      expression:
        "create unique index notification_read_revision on notification (recipient_id, read_revision) where read_revision is not null",
    },
  ],
});

export type NotificationRow = InferEntity<typeof NotificationEntity>;
