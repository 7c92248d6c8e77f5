import { type Database, type EntityManager, execute } from "#kit/db/database.ts";
import { statement } from "#kit/db/statement.ts";
import type { DeliveryState } from "./delivery.entity.ts";
import type { NotificationRow } from "./notification.entity.ts";

/** A delivery to a webhook. */
export interface WebhookDelivery {
  deliveryId: string;
  sequence: bigint;
  state: DeliveryState;
  attempts: number;
  failure: string | null;
  createTime: Date;
  sendTime: Date | null;
  traceId: string;
  notificationId: string | null;
  kind: NotificationRow["kind"] | null;
}

/** With all that is to be sent. */
export type WholeDelivery = WebhookDelivery & {
  notification: Omit<NotificationRow, "recipientId" | "sourceEventId" | "position" | "readRevision"> | undefined;
};

type Row = WebhookDelivery & { [K in "title" | "body" | "taskId" | "readTime"]: NotificationRow[K] } & {
  noticeTime: Date;
  noticeTraceId: string;
};

const columns = `d.delivery_id AS "deliveryId", d.sequence, d.state, d.attempts, d.failure, d.create_time AS "createTime",
  d.send_time AS "sendTime", d.trace_id AS "traceId", d.notification_id AS "notificationId", n.kind`;
const noticeColumns = `n.title, n.body, n.task_id AS "taskId", n.read_time AS "readTime",
  n.create_time AS "noticeTime", n.trace_id AS "noticeTraceId"`;
const summary = { operation: "SELECT", collection: "delivery" };

const addTest = statement(
  "webhook-test",
  `WITH counted AS (
     UPDATE inbox_state SET delivery_sequence = delivery_sequence + 1 WHERE recipient_id = $1 RETURNING delivery_sequence
   )
   INSERT INTO delivery (delivery_id, channel, webhook_id, sequence, state, attempts, create_time, update_time, trace_id)
   SELECT uuidv7(), 'webhook', $2, delivery_sequence, 'queued', 0, statement_timestamp(), statement_timestamp(), $3
   FROM counted
   RETURNING delivery_id AS "deliveryId", sequence, state, attempts, failure, create_time AS "createTime",
     send_time AS "sendTime", trace_id AS "traceId", notification_id AS "notificationId", NULL AS kind`,
  { operation: "INSERT", collection: "delivery" },
);
const list = statement(
  "webhook-deliveries",
  `SELECT ${columns} FROM delivery d LEFT JOIN notification n USING (notification_id)
   WHERE d.webhook_id = $1 AND d.sequence < coalesce($2, 9223372036854775807) ORDER BY d.sequence DESC LIMIT $3`,
  summary,
);
const one = statement(
  "webhook-delivery",
  `SELECT ${columns}, ${noticeColumns} FROM delivery d LEFT JOIN notification n USING (notification_id)
   WHERE d.webhook_id = $1 AND d.delivery_id = $2`,
  summary,
);
// The one to go on behind is among them, so that one look tells whether it is there.
const behind = statement(
  "webhook-deliveries-behind",
  `SELECT ${columns}, ${noticeColumns} FROM delivery d LEFT JOIN notification n USING (notification_id)
   WHERE d.webhook_id = $1
     AND d.sequence >= (SELECT sequence FROM delivery WHERE webhook_id = $1 AND delivery_id = $2)
   ORDER BY d.sequence LIMIT $3`,
  summary,
);
const requeue = statement(
  "webhook-replay",
  `WITH replayed AS (
     UPDATE delivery SET state = 'queued', failure = NULL, send_time = NULL, update_time = statement_timestamp()
     WHERE delivery_id = ANY ($2::uuid[]) AND state IN ('sent', 'failed')
     RETURNING delivery_id, sequence
   ), counted AS (
     UPDATE inbox_state SET delivery_sequence = delivery_sequence + (SELECT count(*) FROM replayed)
     WHERE recipient_id = $1
   )
   SELECT r.delivery_id AS "deliveryId",
     s.delivery_sequence + row_number() OVER (ORDER BY r.sequence) AS sequence, statement_timestamp() AS "createTime"
   FROM replayed r JOIN inbox_state s ON s.recipient_id = $1 ORDER BY r.sequence`,
  { operation: "UPDATE", collection: "delivery" },
);

/** A delivery that brings no notification, in a transaction that has the owner's inbox locked. */
export async function addTestDelivery(
  em: EntityManager,
  { ownerId, webhookId, traceId }: { ownerId: string; webhookId: string; traceId: string },
): Promise<WebhookDelivery> {
  const [row] = await execute<WebhookDelivery>(em, addTest, [ownerId, webhookId, traceId]);
  return row as WebhookDelivery;
}

/** Deliveries of one webhook, the newest first; only those before the sequence, if one is given. */
export function listWebhookDeliveries(
  db: Database,
  { webhookId, before, limit }: { webhookId: string; before: bigint | undefined; limit: number },
  signal: AbortSignal,
): Promise<WebhookDelivery[]> {
  return db.query<WebhookDelivery>(list, [webhookId, before ?? null, limit], { signal });
}

export async function findWebhookDelivery(em: EntityManager, webhookId: string, deliveryId: string) {
  const [row] = await execute<Row>(em, one, [webhookId, deliveryId]);
  return row && whole(row);
}

/** Those behind a delivery in their order, up to `limit`; undefined when it is none of the webhook's. */
export async function deliveriesBehind(
  em: EntityManager,
  { webhookId, deliveryId, limit }: { webhookId: string; deliveryId: string; limit: number },
): Promise<WholeDelivery[] | undefined> {
  const [first, ...rows] = await execute<Row>(em, behind, [webhookId, deliveryId, limit + 1]);
  return first && rows.map(whole);
}

/** The new place of a delivery among the owner's events. */
export interface Requeued {
  deliveryId: string;
  sequence: bigint;
  createTime: Date;
}

/** Queues deliveries again that are at an end, in a transaction that has the owner's inbox locked. */
export function requeueDeliveries(em: EntityManager, ownerId: string, deliveryIds: string[]): Promise<Requeued[]> {
  return execute<Requeued>(em, requeue, [ownerId, deliveryIds]);
}

function whole({ title, body, taskId, readTime, noticeTime, noticeTraceId, ...row }: Row): WholeDelivery {
  const { notificationId, kind } = row;
  const isNotice = notificationId !== null && kind !== null;
  return {
    ...row,
    notification: isNotice
      ? { notificationId, kind, title, body, taskId, readTime, createTime: noticeTime, traceId: noticeTraceId }
      : undefined,
  };
}
