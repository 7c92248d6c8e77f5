import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { DeadLetterSchema } from "#gen/notification/v1/dead_letter_pb.js";
import { type NotificationSchema, NotificationType } from "#gen/notification/v1/notification_pb.js";
import type { PushSubscriptionSchema } from "#gen/notification/v1/push_subscription_pb.js";
import type { DeadLetter } from "#kit/events/dead-letter-list.ts";
import { deadLetterTopic } from "#kit/events/topics.ts";
import type { NotificationKind, NotificationRow } from "../db/notification.entity.ts";
import type { Browser, PushSubscriptionRow } from "../db/push-subscription.repository.ts";
import { etagOf } from "../domain/etag.ts";

export const typeOfKind = {
  task_assigned: NotificationType.TASK_ASSIGNED,
  task_shared: NotificationType.TASK_SHARED,
  task_updated: NotificationType.TASK_UPDATED,
  task_completed: NotificationType.TASK_COMPLETED,
  task_deleted: NotificationType.TASK_DELETED,
  comment_added: NotificationType.COMMENT_ADDED,
  registration_attempted: NotificationType.REGISTRATION_ATTEMPTED,
  session_compromised: NotificationType.SESSION_COMPROMISED,
  api_key_expiring: NotificationType.API_KEY_EXPIRING,
  task_reminder: NotificationType.TASK_REMINDER,
  alert_raised: NotificationType.ALERT_RAISED,
  alert_acknowledged: NotificationType.ALERT_ACKNOWLEDGED,
  webhook_disabled: NotificationType.WEBHOOK_DISABLED,
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

export function deadLetterToProto(
  letter: DeadLetter & { payload?: Uint8Array | null },
): MessageInitShape<typeof DeadLetterSchema> {
  const { topic, partition, offset, letterPartition, letterOffset, attempts, payload, ...same } = letter;
  const isPlaced = letterPartition !== null && letterOffset !== null;
  return {
    deadLetterId: same.deadLetterId,
    group: same.group,
    place: isPlaced
      ? { topic: deadLetterTopic(same.group), partition: letterPartition, offset: letterOffset }
      : undefined,
    origin: { topic, partition, offset },
    key: same.key,
    eventId: same.eventId,
    eventType: same.type,
    reason: same.reason,
    errorClass: same.errorClass,
    attemptCount: attempts,
    failTime: timestampFromDate(same.failTime),
    redriveTime: same.redriveTime ? timestampFromDate(same.redriveTime) : undefined,
    redriveCount: same.redriveCount,
    traceId: same.traceId,
    payload: payload ?? new Uint8Array(),
  };
}

/** Nothing of endpoint and keys but the push service. */
export function pushSubscriptionToProto(
  { pushSubscriptionId, pushKey, expireTime, createTime }: PushSubscriptionRow,
  { endpoint }: Browser,
): MessageInitShape<typeof PushSubscriptionSchema> {
  return {
    pushSubscriptionId,
    pushService: new URL(endpoint).origin,
    pushKey,
    expireTime: expireTime ? timestampFromDate(expireTime) : undefined,
    createTime: timestampFromDate(createTime),
  };
}
