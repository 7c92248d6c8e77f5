import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { AlertEventSchema } from "#gen/notification/v1/alert_events_pb.js";
import { DeliveryEventSchema } from "#gen/notification/v1/delivery_events_pb.js";
import { Channel, type NotificationSchema } from "#gen/notification/v1/notification_pb.js";
import type { EntityManager } from "#kit/db/database.ts";
import { appendOutboxAll, type OutgoingEvent } from "#kit/events/outbox.ts";
import { topics } from "#kit/events/topics.ts";
import { newId } from "#kit/id.ts";
import type { Redis } from "#kit/redis/redis.ts";
import type { DeliveryChannel } from "./db/delivery.entity.ts";
import type { AddedDelivery, EntrySource, NewEntry } from "./db/inbox.repository.ts";
import { notificationToProto } from "./rpc/convert.ts";

/** The channel of Redis on which changed inboxes are announced: ids of their owners, between commas. */
export const changedInboxes = "notification:inbox";

/** The ways out of the inbox, as the events name them. */
export const channels = {
  email: Channel.EMAIL,
  webhook: Channel.WEBHOOK,
  push: Channel.PUSH,
} satisfies Record<DeliveryChannel, Channel>;

/** Tells everybody who watches these inboxes to read them. Call it after the commit; lost news are found by polling. */
export function announceInboxes(redis: Redis, recipientIds: readonly string[]): void {
  if (recipientIds.length > 0) redis.publish(changedInboxes, recipientIds.join(",")).catch(() => {});
}

/** A delivery that is asked for, with what it brings. */
export interface RequestedDelivery extends Omit<AddedDelivery, "notificationId"> {
  recipientId: string;
  /** Undefined for the test of a webhook. */
  notification: MessageInitShape<typeof NotificationSchema> | undefined;
}

/** The deliveries of entries that were just added. */
export function deliveriesOf(source: EntrySource, entries: Iterable<NewEntry>, added: AddedDelivery[]) {
  const byId = new Map(Array.from(entries, (entry) => [entry.notificationId, entry]));
  return added.flatMap((delivery): RequestedDelivery[] => {
    const entry = byId.get(delivery.notificationId);
    if (entry === undefined) return [];
    const { taskId = null, traceId } = source;
    const row = { ...entry, taskId, traceId, readTime: null, createTime: delivery.createTime };
    return [{ ...delivery, recipientId: entry.recipientId, notification: notificationToProto(row) }];
  });
}

/** Asks for deliveries, in the transaction that wrote them. */
export async function deliveriesRequested(
  em: EntityManager,
  deliveries: RequestedDelivery[],
  topic: string = topics.deliveries,
): Promise<void> {
  await appendOutboxAll(
    em,
    deliveries.map((delivery) => deliveryRequested(delivery, topic)),
  );
}

function deliveryRequested(delivery: RequestedDelivery, topic: string): OutgoingEvent {
  const { recipientId, deliveryId, channel, webhookId, notification, sequence, createTime } = delivery;
  const eventId = newId();
  const event: MessageInitShape<typeof DeliveryEventSchema> = {
    eventId,
    sequence,
    occurTime: timestampFromDate(createTime),
    recipientId,
    fact: {
      case: "deliveryRequested",
      value: { deliveryId, channel: channels[channel], webhookId: webhookId ?? "", notification },
    },
  };
  return {
    topic,
    // What waits for one webhook holds back none of the same person's others.
    key: webhookId ?? recipientId,
    eventId,
    type: "notification.v1.DeliveryRequested",
    sequence,
    payload: toBinary(DeliveryEventSchema, create(DeliveryEventSchema, event)),
    occurTime: createTime,
  };
}

/** Asks for the mail of an alert's entry. Its key is the delivery: a mail that has to wait holds back nothing else. */
export function alertMailRequested(
  alertId: string,
  { recipientId, ...entry }: NewEntry,
  { deliveryId, createTime, traceId }: { deliveryId: string; createTime: Date; traceId: string },
): OutgoingEvent {
  const eventId = deliveryId;
  const notification = notificationToProto({ ...entry, taskId: null, traceId, readTime: null, createTime });
  const event: MessageInitShape<typeof AlertEventSchema> = {
    eventId,
    occurTime: timestampFromDate(createTime),
    recipientId,
    alertId,
    fact: { case: "alertMailRequested", value: { deliveryId, notification } },
  };
  return {
    topic: topics.urgent,
    key: deliveryId,
    eventId,
    type: "notification.v1.AlertMailRequested",
    sequence: 0,
    payload: toBinary(AlertEventSchema, create(AlertEventSchema, event)),
    occurTime: createTime,
  };
}
