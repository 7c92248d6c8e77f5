import { type Database, type EntityManager, execute } from "#kit/db/database.ts";
import type { DedicatedConnection } from "#kit/db/dedicated.ts";
import { statement } from "#kit/db/statement.ts";
import type { DeliveryChannel } from "./delivery.entity.ts";
import type { ScheduleState } from "./schedule.entity.ts";

/** A reminder of one person, with what has to be known of its task when it comes. */
export interface ScheduledReminder {
  reminderId: string;
  recipientId: string;
  taskId: string;
  taskTitle: string;
  /** Null for all that the person has. */
  channels: DeliveryChannel[] | null;
  at: Date | null;
  before: number | null;
  snoozeTime: Date | null;
  dueLocal: string | null;
  dueTimeZone: string | null;
  timeZone: string;
  isOpen: boolean;
  sourceEventId: string;
  fireTime: Date | null;
  state: ScheduleState;
}

const columns = [
  ["reminder_id", "reminderId", "uuid"],
  ["recipient_id", "recipientId", "uuid"],
  ["task_id", "taskId", "uuid"],
  ["task_title", "taskTitle", "text"],
  ["channels", "channels", "text[]"],
  ["at", "at", "timestamptz"],
  ["before", "before", "integer"],
  ["snooze_time", "snoozeTime", "timestamptz"],
  ["due_local", "dueLocal", "text"],
  ["due_time_zone", "dueTimeZone", "text"],
  ["time_zone", "timeZone", "text"],
  ["is_open", "isOpen", "boolean"],
  ["source_event_id", "sourceEventId", "uuid"],
  ["fire_time", "fireTime", "timestamptz"],
  ["state", "state", "text"],
] as const satisfies readonly (readonly [string, keyof ScheduledReminder, string])[];

const names = columns.map(([name]) => name).join(", ");
const selected = columns.map(([name, key]) => `s.${name} AS "${key}"`).join(", ");
// What changes with the task or with the person; the rest is the reminder's own.
const moving = columns.filter(
  ([name]) => !["reminder_id", "recipient_id", "task_id", "channels", "at", "before"].includes(name),
);

const put = statement(
  "schedule-put",
  `INSERT INTO schedule (${names}) VALUES (${columns.map(([, , type], index) => `$${index + 1}::${type}`).join(", ")})
   ON CONFLICT (reminder_id) DO UPDATE SET ${columns
     .slice(1)
     .map(([name]) => `${name} = excluded.${name}`)
     .join(", ")}`,
);

const lockRows = statement(
  "schedule-lock",
  `SELECT ${selected} FROM schedule s
   WHERE s.task_id = ANY ($1::uuid[]) OR s.recipient_id = ANY ($2::uuid[]) ORDER BY s.reminder_id FOR UPDATE`,
);

const move = statement(
  "schedule-move",
  `UPDATE schedule s SET ${moving.map(([name]) => `${name} = n.${name}`).join(", ")}
   FROM unnest($1::uuid[], ${moving.map(([, , type], index) => `$${index + 2}::${type}[]`).join(", ")})
     AS n (reminder_id, ${moving.map(([name]) => name).join(", ")})
   WHERE s.reminder_id = n.reminder_id`,
);

const remove = statement("schedule-remove", "DELETE FROM schedule WHERE reminder_id = $1::uuid");
const removeTask = statement("schedule-remove-task", "DELETE FROM schedule WHERE task_id = $1::uuid");

const isDue = "s.state = 'waiting' AND s.is_open AND s.fire_time <= statement_timestamp()";

const dueRows = statement(
  "schedule-due",
  `SELECT ${selected} FROM schedule s WHERE ${isDue} ORDER BY s.fire_time LIMIT $1`,
);

// What somebody else has at hand is left to them: nobody waits here.
const claim = statement(
  "schedule-claim",
  `UPDATE schedule s
   SET state = CASE WHEN s.fire_time < statement_timestamp() - make_interval(secs => $2) THEN 'missed' ELSE 'fired' END
   WHERE s.reminder_id IN (
     SELECT s.reminder_id FROM schedule s WHERE s.reminder_id = ANY ($1::uuid[]) AND ${isDue} FOR UPDATE SKIP LOCKED
   )
   RETURNING ${selected}`,
  { operation: "UPDATE", collection: "schedule" },
);

const nextTime = statement(
  "schedule-next",
  `SELECT extract(epoch FROM min(s.fire_time) - clock_timestamp())::float8 AS seconds
   FROM schedule s WHERE s.state = 'waiting' AND s.is_open`,
);

/** Writes a reminder, whatever was known of it. */
export async function putReminder(em: EntityManager, reminder: ScheduledReminder): Promise<void> {
  await execute(
    em,
    put,
    columns.map(([, key]) => reminder[key]),
  );
}

/** The reminders of tasks and of people, locked until the transaction ends, always in one order. */
export function lockReminders(
  em: EntityManager,
  { taskIds = [], recipientIds = [] }: { taskIds?: readonly string[]; recipientIds?: readonly string[] },
): Promise<ScheduledReminder[]> {
  return execute<ScheduledReminder>(em, lockRows, [taskIds, recipientIds]);
}

/** Writes what a change of the task or the person made of locked reminders. */
export async function moveReminders(em: EntityManager, reminders: readonly ScheduledReminder[]): Promise<void> {
  if (reminders.length === 0) return;
  const column = (key: keyof ScheduledReminder) => reminders.map((reminder) => reminder[key]);
  await execute(em, move, [column("reminderId"), ...moving.map(([, key]) => column(key))]);
}

export async function removeReminder(em: EntityManager, reminderId: string): Promise<void> {
  await execute(em, remove, [reminderId]);
}

export async function removeRemindersOfTask(em: EntityManager, taskId: string): Promise<void> {
  await execute(em, removeTask, [taskId]);
}

/** Reminders whose time has come, the oldest first. Nothing is locked. */
export function dueReminders(db: Database, limit: number): Promise<ScheduledReminder[]> {
  return db.query<ScheduledReminder>(dueRows, [limit]);
}

/**
 * Takes those of the reminders that are still due, for good: nobody gets one of them again unless it is given another
 * time. Those that are later than `lateSeconds` come back as missed.
 */
export function claimReminders(
  em: EntityManager,
  reminderIds: readonly string[],
  lateSeconds: number,
): Promise<ScheduledReminder[]> {
  return execute<ScheduledReminder>(em, claim, [reminderIds, lateSeconds]);
}

/** In how many seconds the next reminder is due, less than 0 when it should have come; undefined when there is none. */
export async function secondsToNext(connection: DedicatedConnection): Promise<number | undefined> {
  const [next] = await connection.query<{ seconds: number | null }>(nextTime);
  return next?.seconds ?? undefined;
}
