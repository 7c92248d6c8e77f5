import type { Database, EntityManager } from "#kit/db/database.ts";
import { newId } from "#kit/id.ts";
import type { Redis } from "#kit/redis/redis.ts";
import { counter } from "#observability/metrics.ts";
import { activeTraceId } from "#observability/tracing.ts";
import { addToInboxes, type NewEntry } from "../services/notification/db/inbox.repository.ts";
import { announceInboxes, deliveriesOf, deliveriesRequested } from "../services/notification/events.ts";

const created = counter("taskmesh.notification.created");

/** A notification as it will stand in its recipient's inbox. */
export type Notice = Omit<NewEntry, "notificationId"> & { taskId: string | undefined };

export interface InboxesContext {
  readonly database: Database;
  /** Announces changed inboxes. */
  readonly redis: Redis;
  /** Where deliveries are asked for. */
  readonly deliveryTopic: string;
}

/**
 * Puts the notices of one event in their inboxes, in the transaction given, and asks for a delivery on each way that a
 * recipient has. At most one notice for a person, all of the same task. To be called once for an event. Answers with the
 * entries.
 */
export async function putInInboxes(
  { deliveryTopic, database, redis }: InboxesContext,
  em: EntityManager,
  eventId: string,
  notices: Notice[],
): Promise<NewEntry[]> {
  const [first] = notices;
  if (first === undefined) return [];
  const source = { eventId, taskId: first.taskId, traceId: activeTraceId() ?? "" };
  const entries = notices.map((notice): NewEntry => ({ ...notice, notificationId: newId() }));
  const added = await addToInboxes(em, source, entries);
  await deliveriesRequested(em, deliveriesOf(source, entries, added), deliveryTopic);
  database.afterCommit(() => {
    announceInboxes(
      redis,
      entries.map(({ recipientId }) => recipientId),
    );
    created.add(entries.length);
  }, em);
  return entries;
}
