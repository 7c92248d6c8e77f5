import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { DeliveryEventSchema } from "#gen/notification/v1/delivery_events_pb.js";
import { Channel } from "#gen/notification/v1/notification_pb.js";
import type { EntityManager } from "#kit/db/database.ts";
import { appendOutboxAll, type OutgoingEvent } from "#kit/events/outbox.ts";
import { topics } from "#kit/events/topics.ts";
import { newId } from "#kit/id.ts";
import type { Redis } from "#kit/redis/redis.ts";
import type { DeliveryChannel } from "./db/delivery.entity.ts";
import type { AddedEntry, EntrySource, NewEntry } from "./db/inbox.repository.ts";
import { notificationToProto } from "./rpc/convert.ts";

/** The channel of Redis on which changed inboxes are announced: ids of their owners, between commas. */
export const changedInboxes = "notification:inbox";

const channels = { email: Channel.EMAIL } satisfies Record<DeliveryChannel, Channel>;

/** Tells everybody who watches these inboxes to read them. Call it after the commit; lost news are found by polling. */
export function announceInboxes(redis: Redis, recipientIds: readonly string[]): void {
  if (recipientIds.length > 0) redis.publish(changedInboxes, recipientIds.join(",")).catch(() => {});
}

/** Asks for the delivery of entries that were just added; in the same transaction. */
export async function deliveriesRequested(
  em: EntityManager,
  source: EntrySource,
  entries: (NewEntry & AddedEntry)[],
  topic: string = topics.deliveries,
): Promise<void> {
  await appendOutboxAll(
    em,
    entries.map((entry) => deliveryRequested(source, entry, topic)),
  );
}

function deliveryRequested(source: EntrySource, entry: NewEntry & AddedEntry, topic: string): OutgoingEvent {
  const { recipientId, deliveryId, deliverySequence: sequence, createTime } = entry;
  const eventId = newId();
  const event: MessageInitShape<typeof DeliveryEventSchema> = {
    eventId,
    sequence,
    occurTime: timestampFromDate(createTime),
    recipientId,
    fact: {
      case: "deliveryRequested",
      value: {
        deliveryId,
        channel: channels[source.channel],
        notification: notificationToProto({
          ...entry,
          taskId: source.taskId ?? null,
          readTime: null,
          traceId: source.traceId,
        }),
      },
    },
  };
  return {
    topic,
    key: recipientId,
    eventId,
    type: "notification.v1.DeliveryRequested",
    sequence,
    payload: toBinary(DeliveryEventSchema, create(DeliveryEventSchema, event)),
    occurTime: createTime,
  };
}
