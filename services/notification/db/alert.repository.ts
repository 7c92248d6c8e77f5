import { type Database, type EntityManager, execute } from "#kit/db/database.ts";
import { statement } from "#kit/db/statement.ts";
import { derivedId } from "../domain/alert-ids.ts";
import type { AlertRecipientRow, AlertRow } from "./alert.entity.ts";

/** When those who do not acknowledge an alert are told again. */
export interface AlertPace {
  /** Seconds between two notices to a person. */
  everySeconds: number;
  /** Notices to a person after the first. */
  repeats: number;
}

/** Who is told, in which place and on which level. */
export interface AlertContact {
  recipientId: string;
  level: number;
}

export type NewAlert = Omit<AlertRow, "createTime" | "acknowledgeTime" | "acknowledgerId">;
export type AlertDeliveryRow = Omit<AlertRecipientRow, "alertId" | "place">;
export type AlertWithDeliveries = AlertRow & { deliveries: AlertDeliveryRow[] };

const deliveryColumns = `r.recipient_id AS "recipientId", r.level, r.notices, r.next_notice_time AS "nextNoticeTime",
  r.notify_time AS "notifyTime", r.acknowledge_time AS "acknowledgeTime"`;
const alertColumns = `a.alert_id AS "alertId", a.raiser_id AS "raiserId", a.message, a.latitude, a.longitude,
  a.create_time AS "createTime", a.trace_id AS "traceId"`;

const insert = statement(
  "alert-insert",
  `WITH raised AS (
     INSERT INTO alert (alert_id, raiser_id, message, latitude, longitude, create_time, trace_id)
     VALUES ($1, $2, $3, $4, $5, statement_timestamp(), $6) RETURNING alert_id, create_time
   )
   INSERT INTO alert_recipient AS r (alert_id, recipient_id, place, level, notices, next_notice_time)
   SELECT alert_id, id, place, level, CASE level WHEN 0 THEN 1 ELSE 0 END,
     CASE WHEN level > 0 THEN create_time + level * ($9::int + 1) * make_interval(secs => $10)
       WHEN $9::int > 0 THEN create_time + make_interval(secs => $10) END
   FROM raised, unnest($7::uuid[], $8::int[]) WITH ORDINALITY AS person (id, level, place)
   RETURNING ${deliveryColumns}, (SELECT create_time FROM raised) AS "createTime"`,
  { operation: "INSERT", collection: "alert" },
);

/** Writes an alert with all who may be told of it; the first notice to those of level 0 counts as asked for. */
export async function insertAlert(
  em: EntityManager,
  alert: NewAlert,
  contacts: readonly AlertContact[],
  { everySeconds, repeats }: AlertPace,
): Promise<AlertWithDeliveries> {
  const rows = await execute<AlertDeliveryRow & { createTime: Date }>(em, insert, [
    alert.alertId,
    alert.raiserId,
    alert.message,
    alert.latitude,
    alert.longitude,
    alert.traceId,
    contacts.map(({ recipientId }) => recipientId),
    contacts.map(({ level }) => level),
    repeats,
    everySeconds,
  ]);
  const createTime = rows[0]?.createTime as Date;
  return { ...alert, createTime, acknowledgeTime: null, acknowledgerId: null, deliveries: rows };
}

// Whoever raised an alert or was told of it may see it.
const isConcerned = `(a.raiser_id = $2 OR EXISTS (
    SELECT FROM alert_recipient r WHERE r.alert_id = a.alert_id AND r.recipient_id = $2 AND r.notices > 0))`;

const lock = statement(
  "alert-lock",
  `SELECT a.raiser_id AS "raiserId", a.message FROM alert a WHERE a.alert_id = $1 AND ${isConcerned} FOR UPDATE`,
);

// The snapshot is younger than the lock: of two calls at once, the second finds what the first has written.
const acknowledge = statement(
  "alert-acknowledge",
  `WITH earlier AS (
     SELECT FROM alert_recipient WHERE alert_id = $1 AND recipient_id = $2 AND acknowledge_time IS NOT NULL
   ), ended AS (
     UPDATE alert_recipient SET next_notice_time = NULL,
       acknowledge_time = CASE recipient_id WHEN $2 THEN coalesce(acknowledge_time, statement_timestamp())
         ELSE acknowledge_time END
     WHERE alert_id = $1 AND (next_notice_time IS NOT NULL OR recipient_id = $2)
   )
   UPDATE alert SET acknowledge_time = coalesce(acknowledge_time, statement_timestamp()),
     acknowledger_id = coalesce(acknowledger_id, $2)
   WHERE alert_id = $1 AND NOT EXISTS (SELECT FROM earlier)
   RETURNING (SELECT acknowledge_time IS NULL FROM alert WHERE alert_id = $1) AS "isFirst"`,
  { operation: "UPDATE", collection: "alert" },
);

export interface Acknowledgement {
  raiserId: string;
  message: string;
  /** Whether this person had not acknowledged it before. */
  isNew: boolean;
  /** Whether nobody had. */
  isFirst: boolean;
}

/** Ends the notices of an alert, with the alert locked; undefined when it does not concern the person. */
export async function acknowledgeAlert(
  em: EntityManager,
  alertId: string,
  personId: string,
): Promise<Acknowledgement | undefined> {
  const [alert] = await execute<{ raiserId: string; message: string }>(em, lock, [alertId, personId]);
  if (alert === undefined) return undefined;
  const [change] = await execute<{ isFirst: boolean }>(em, acknowledge, [alertId, personId]);
  return { ...alert, isNew: change !== undefined, isFirst: change?.isFirst ?? false };
}

const selected = (alertsFrom: string) => `SELECT ${alertColumns}, a.acknowledge_time AS "firstAcknowledgeTime",
    a.acknowledger_id AS "acknowledgerId", ${deliveryColumns}
  FROM ${alertsFrom} JOIN alert_recipient r ON r.alert_id = a.alert_id ORDER BY a.alert_id DESC, r.place`;

const find = statement("alert-find", selected("(SELECT * FROM alert WHERE alert_id = $1) a"), {
  operation: "SELECT",
  collection: "alert",
});

const wanted = "($2::uuid IS NULL OR a.alert_id < $2) AND (NOT $3 OR a.acknowledge_time IS NULL)";
const list = statement(
  "alert-list",
  selected(`(
    (SELECT a.* FROM alert a WHERE a.raiser_id = $1 AND ${wanted} ORDER BY a.alert_id DESC LIMIT $4)
    UNION
    (SELECT a.* FROM alert_recipient r JOIN alert a USING (alert_id)
     WHERE r.recipient_id = $1 AND r.notices > 0 AND ${wanted} ORDER BY a.alert_id DESC LIMIT $4)
    ORDER BY alert_id DESC LIMIT $4) a`),
  { operation: "SELECT", collection: "alert" },
);

type FlatRow = Omit<AlertRow, "acknowledgeTime"> & AlertDeliveryRow & { firstAcknowledgeTime: Date | null };

/** An alert as it is in this transaction. */
export async function findAlert(em: EntityManager, alertId: string): Promise<AlertWithDeliveries | undefined> {
  return together(await execute<FlatRow>(em, find, [alertId]))[0];
}

export interface PageOfAlerts {
  unacknowledgedOnly: boolean;
  /** Only alerts before this one. */
  before: string | undefined;
  limit: number;
}

/** The alerts that a person raised or was told of, newest first. */
export async function listAlerts(
  db: Database,
  personId: string,
  { unacknowledgedOnly, before, limit }: PageOfAlerts,
  signal: AbortSignal,
): Promise<AlertWithDeliveries[]> {
  return together(await db.query<FlatRow>(list, [personId, before ?? null, unacknowledgedOnly, limit], { signal }));
}

function together(rows: FlatRow[]): AlertWithDeliveries[] {
  const alerts = new Map<string, AlertWithDeliveries>();
  for (const { alertId, raiserId, message, latitude, longitude, createTime, traceId, ...rest } of rows) {
    const { firstAcknowledgeTime: acknowledgeTime, acknowledgerId, ...delivery } = rest;
    const known = alerts.get(alertId);
    if (known !== undefined) known.deliveries.push(delivery);
    else {
      const alert = { alertId, raiserId, message, latitude, longitude, createTime, traceId };
      alerts.set(alertId, { ...alert, acknowledgeTime, acknowledgerId, deliveries: [delivery] });
    }
  }
  return [...alerts.values()];
}

const arrived = statement(
  "alert-notified",
  `UPDATE alert_recipient r SET notify_time = coalesce(r.notify_time, statement_timestamp())
   FROM alert a
   WHERE a.alert_id = r.alert_id AND r.alert_id = $1 AND r.recipient_id = $2
     AND (r.notify_time IS NULL OR a.acknowledge_time IS NULL)
   RETURNING r.recipient_id`,
);

/** A notice is about to reach its recipient; false when it is a repeat of what somebody has acknowledged by now. */
export async function noticeArrived(em: EntityManager, alertId: string, recipientId: string): Promise<boolean> {
  return (await execute(em, arrived, [alertId, recipientId])).length > 0;
}

const queueMail = statement(
  "alert-mail",
  `INSERT INTO delivery (delivery_id, notification_id, channel, state, attempts, create_time, update_time, trace_id)
   SELECT $1, notification_id, 'email', 'queued', 0, create_time, create_time, trace_id
   FROM notification WHERE notification_id = $2 RETURNING create_time AS "createTime"`,
);

/** The delivery by mail of an entry that was just added. Its id follows from the event that the entry is of. */
export async function queueAlertMail(em: EntityManager, eventId: string, notificationId: string) {
  const deliveryId = derivedId(`mail ${eventId}`);
  const [row] = await execute<{ createTime: Date }>(em, queueMail, [deliveryId, notificationId]);
  return { deliveryId, createTime: row?.createTime as Date };
}

export interface DueNotice extends Pick<AlertRow, "alertId" | "raiserId" | "message" | "latitude" | "longitude"> {
  recipientId: string;
  /** How many there were, this one included. */
  notices: number;
  occurTime: Date;
}

// Also when notices are late, a contact is told only once those before have nothing to come.
const isTheirTurn = `NOT EXISTS (
    SELECT FROM alert_recipient e
    WHERE e.alert_id = r.alert_id AND e.level < r.level AND e.next_notice_time IS NOT NULL)`;

const takeDue = statement(
  "alert-take-due",
  `WITH due AS (
     SELECT alert_id, recipient_id FROM alert_recipient r WHERE next_notice_time <= statement_timestamp() AND ${isTheirTurn}
     ORDER BY next_notice_time LIMIT $1 FOR UPDATE SKIP LOCKED
   ), taken AS (
     UPDATE alert_recipient r SET notices = notices + 1,
       next_notice_time = CASE WHEN notices < $2 THEN statement_timestamp() + make_interval(secs => $3) END
     FROM due WHERE r.alert_id = due.alert_id AND r.recipient_id = due.recipient_id
     RETURNING r.alert_id, r.recipient_id, r.notices
   )
   SELECT ${alertColumns}, taken.recipient_id AS "recipientId", taken.notices, statement_timestamp() AS "occurTime"
   FROM taken JOIN alert a USING (alert_id)`,
  { operation: "UPDATE", collection: "alert_recipient" },
);

/** Takes notices that are due, each by one process: what another is at is left to it. */
export function takeDueNotices(em: EntityManager, limit: number, { repeats, everySeconds }: AlertPace) {
  return execute<DueNotice>(em, takeDue, [limit, repeats, everySeconds]);
}

const nextDue = statement(
  "alert-next-due",
  `SELECT extract(epoch FROM min(next_notice_time) - statement_timestamp())::float8 AS seconds
   FROM alert_recipient r WHERE next_notice_time IS NOT NULL AND ${isTheirTurn}`,
);

/** In how many seconds the next notice is due, negative when it is late; undefined when there is none. */
export async function secondsToNextNotice(db: Database): Promise<number | undefined> {
  const [row] = await db.query<{ seconds: number | null }>(nextDue);
  return row?.seconds ?? undefined;
}
