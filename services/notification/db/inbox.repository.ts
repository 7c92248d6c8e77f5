import { type Database, type EntityManager, execute } from "#kit/db/database.ts";
import { statement } from "#kit/db/statement.ts";
import type { DeliveryChannel } from "./delivery.entity.ts";
import { InboxStateEntity } from "./inbox-state.entity.ts";
import { NotificationEntity, type NotificationKind, type NotificationRow } from "./notification.entity.ts";

/** An entry that an event makes, one for each recipient. */
export interface NewEntry {
  notificationId: string;
  recipientId: string;
  kind: NotificationKind;
  title: string;
  body: string;
  /** The only ways on which it may go beside the inbox; all that its recipient has unless given. */
  channels?: readonly DeliveryChannel[] | undefined;
}

/** What the entries of one event have in common. */
export interface EntrySource {
  eventId: string;
  taskId: string | undefined;
  traceId: string;
}

/** A delivery of a new entry, with its place among the recipient's deliveries. */
export interface AddedDelivery {
  deliveryId: string;
  notificationId: string;
  channel: DeliveryChannel;
  /** Of the channel "webhook". */
  webhookId: string | null;
  sequence: bigint;
  createTime: Date;
}

const lockStates = statement(
  "inbox-lock",
  `INSERT INTO inbox_state (recipient_id) SELECT unnest($1::uuid[])
   ON CONFLICT (recipient_id) DO UPDATE SET revision = inbox_state.revision`,
);

// The ways on which an entry leaves the inbox: of each a row of channel and webhook. A mail goes to everybody.
const ways = [
  "SELECT 'email'::text, NULL::uuid",
  `SELECT 'webhook', webhook_id FROM webhook
   WHERE owner_id = entry.recipient_id AND state = 'enabled' AND (kinds = '{}' OR entry.kind = ANY (kinds))`,
  "SELECT 'push', NULL WHERE EXISTS (SELECT FROM push_subscription WHERE recipient_id = entry.recipient_id)",
];

const addEntries = statement(
  "inbox-add",
  `WITH entry AS (
     INSERT INTO notification
       (notification_id, recipient_id, source_event_id, position, kind, title, body, task_id, create_time, trace_id)
     SELECT n.id, n.recipient_id, $1, s.revision + 1, n.kind, n.title, n.body, $2, statement_timestamp(), $3
     FROM unnest($4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::text[]) AS n (id, recipient_id, kind, title, body)
     JOIN inbox_state s USING (recipient_id)
     RETURNING notification_id, recipient_id, kind, create_time
   ), way AS (
     SELECT entry.*, way.channel, way.webhook_id, row_number() OVER (PARTITION BY notification_id
       ORDER BY array_position('{email,webhook,push}', way.channel), way.webhook_id) AS place
     FROM entry JOIN unnest($4::uuid[], $9::text[]) AS wanted (notification_id, channels) USING (notification_id)
     CROSS JOIN LATERAL (${ways.join(" UNION ALL ")}) AS way (channel, webhook_id)
     WHERE wanted.channels IS NULL OR way.channel = ANY (string_to_array(wanted.channels, ','))
   ), queued AS (
     INSERT INTO delivery
       (delivery_id, notification_id, channel, webhook_id, sequence, state, attempts, create_time, update_time, trace_id)
     SELECT uuidv7(), notification_id, channel, webhook_id, s.delivery_sequence + place, 'queued', 0,
       create_time, create_time, $3
     FROM way JOIN inbox_state s USING (recipient_id)
     RETURNING delivery_id, notification_id, channel, webhook_id, sequence, create_time
   ), counted AS (
     UPDATE inbox_state s SET unread_count = unread_count + 1, revision = revision + 1,
       delivery_sequence = delivery_sequence + (SELECT count(*) FROM way WHERE way.recipient_id = s.recipient_id)
     FROM entry WHERE s.recipient_id = entry.recipient_id
   )
   SELECT delivery_id AS "deliveryId", notification_id AS "notificationId", channel, webhook_id AS "webhookId",
     sequence, create_time AS "createTime"
   FROM queued ORDER BY notification_id, sequence`,
  { operation: "INSERT", collection: "notification" },
);

// The inbox is locked before its entry, as an event that adds entries does it.
const lockInbox = statement("inbox-lock-one", "SELECT FROM inbox_state WHERE recipient_id = $1::uuid FOR UPDATE");

const markEntry = statement(
  "inbox-mark-read",
  `WITH state AS (
     SELECT recipient_id, revision FROM inbox_state WHERE recipient_id = $2 FOR UPDATE
   ), marked AS (
     UPDATE notification n SET read_time = statement_timestamp(), read_revision = state.revision + 1
     FROM state WHERE n.notification_id = $1 AND n.recipient_id = state.recipient_id AND n.read_time IS NULL
     RETURNING n.recipient_id
   )
   UPDATE inbox_state s SET unread_count = unread_count - 1, revision = revision + 1
   FROM marked WHERE s.recipient_id = marked.recipient_id
   RETURNING s.revision`,
  { operation: "UPDATE", collection: "notification" },
);

/** Locks the inboxes of these people, in the order of their ids; makes those that are not there yet. */
export async function lockInboxes(em: EntityManager, recipientIds: readonly string[]): Promise<void> {
  const ids = [...new Set(recipientIds)].sort();
  if (ids.length > 0) await execute(em, lockStates, [ids]);
}

/**
 * Puts the entries of one event in their inboxes, each with a delivery for every way that its recipient has, and answers
 * with these. Called once for an event: that it is, is the work of the consumer's inbox. The inboxes are locked in the
 * order of their owners' ids, so that no two events wait for each other.
 */
export async function addToInboxes(
  em: EntityManager,
  source: EntrySource,
  entries: NewEntry[],
): Promise<AddedDelivery[]> {
  const sorted = entries.toSorted((a, b) => (a.recipientId < b.recipientId ? -1 : 1));
  const column = <K extends keyof NewEntry>(key: K) => sorted.map((entry) => entry[key]);
  await lockInboxes(em, column("recipientId"));
  return execute<AddedDelivery>(em, addEntries, [
    source.eventId,
    source.taskId ?? null,
    source.traceId,
    column("notificationId"),
    column("recipientId"),
    column("kind"),
    column("title"),
    column("body"),
    sorted.map(({ channels }) => channels?.join(",") ?? null),
  ]);
}

/** An entry of the recipient, with the inbox locked for a change; null when it is not there. */
export async function lockEntry(
  em: EntityManager,
  recipientId: string,
  notificationId: string,
): Promise<NotificationRow | null> {
  await execute(em, lockInbox, [recipientId]);
  return em.findOne(NotificationEntity, { notificationId, recipientId });
}

/** Marks an unread entry of a locked inbox as read, and counts it. Answers with the entry as it is then. */
export async function markRead(em: EntityManager, entry: NotificationRow): Promise<NotificationRow> {
  const { notificationId, recipientId } = entry;
  await execute(em, markEntry, [notificationId, recipientId]);
  return em.findOneOrFail(NotificationEntity, { notificationId, recipientId }, { refresh: true });
}

export interface PageOfInbox {
  unreadOnly: boolean;
  /** Only entries that came before this position. */
  before: bigint | undefined;
  limit: number;
}

/** Entries of one inbox, newest first. */
export function listEntries(
  db: Database,
  recipientId: string,
  { unreadOnly, before, limit }: PageOfInbox,
  signal: AbortSignal,
): Promise<NotificationRow[]> {
  const where = {
    recipientId,
    ...(unreadOnly && { readTime: null }),
    ...(before !== undefined && { position: { $lt: before } }),
  };
  const options = { orderBy: { position: "desc" }, limit } as const;
  return db.scoped(signal, () => db.em().find(NotificationEntity, where, options));
}

export async function countUnread(db: Database, recipientId: string, signal: AbortSignal) {
  const state = await db.scoped(signal, () => db.em().findOne(InboxStateEntity, { recipientId }));
  return { unreadCount: state?.unreadCount ?? 0, revision: state?.revision ?? 0n };
}
