import { statement } from "#kit/db/statement.ts";
import type { Reminder } from "../domain/reminder.ts";
import type { Run } from "./queries.ts";

const columns = "reminder_id, task_id, user_id, at, before, channels, snooze_time, create_time";

interface ReminderRow {
  reminder_id: string;
  task_id: string;
  user_id: string;
  at: Date | null;
  before: number | null;
  channels: number[];
  snooze_time: Date | null;
  create_time: Date;
}

const insertStatement = statement(
  "reminder-insert",
  `INSERT INTO reminder (${columns}) VALUES ($1, $2, $3, $4, $5, $6::smallint[], $7, $8)`,
);

const ofPersonStatement = statement(
  "reminder-of-person",
  `SELECT ${columns} FROM reminder WHERE task_id = $1::uuid AND user_id = $2::uuid ORDER BY create_time, reminder_id`,
);

const carryStatement = statement(
  "reminder-carry",
  `INSERT INTO reminder (${columns})
   SELECT uuidv7(), $2::uuid, user_id, at, before, channels, NULL, $3::timestamptz FROM reminder
   WHERE task_id = $1::uuid AND before IS NOT NULL ORDER BY create_time, reminder_id RETURNING ${columns}`,
);

const snoozeStatement = statement(
  "reminder-snooze",
  "UPDATE reminder SET snooze_time = $2::timestamptz WHERE reminder_id = $1::uuid",
);

const wakeStatement = statement(
  "reminder-wake",
  `UPDATE reminder SET snooze_time = NULL
   WHERE task_id = $1::uuid AND before IS NOT NULL AND snooze_time IS NOT NULL`,
);

const deleteStatement = statement(
  "reminder-delete",
  "DELETE FROM reminder WHERE reminder_id = $1::uuid AND task_id = $2::uuid AND user_id = $3::uuid RETURNING reminder_id",
);

export async function insertReminder(run: Run, reminder: Reminder): Promise<void> {
  const { reminderId, taskId, userId, at, before, channels, snoozeTime, createTime } = reminder;
  await run(insertStatement, [reminderId, taskId, userId, at, before, channels, snoozeTime, createTime]);
}

/** One person's reminders of a task, in the order in which they were set. */
export async function remindersOf(run: Run, taskId: string, userId: string): Promise<Reminder[]> {
  return (await run<ReminderRow>(ofPersonStatement, [taskId, userId])).map(fromRow);
}

/** Sets everybody's reminders that go by the due for another task, the next of a series. Answers with the new ones. */
export async function carryReminders(
  run: Run,
  { from, to, at }: { from: string; to: string; at: Date },
): Promise<Reminder[]> {
  return (await run<ReminderRow>(carryStatement, [from, to, at])).map(fromRow);
}

export async function snoozeReminder(run: Run, { reminderId, snoozeTime }: Reminder): Promise<void> {
  await run(snoozeStatement, [reminderId, snoozeTime]);
}

/** Has the reminders that go by the task's due do so again, for it has changed. */
export async function endSnoozes(run: Run, taskId: string): Promise<void> {
  await run(wakeStatement, [taskId]);
}

/** Answers whether it was there, and this person's. */
export async function deleteReminder(run: Run, reminder: Pick<Reminder, "reminderId" | "taskId" | "userId">) {
  const { reminderId, taskId, userId } = reminder;
  return (await run(deleteStatement, [reminderId, taskId, userId])).length > 0;
}

function fromRow(row: ReminderRow): Reminder {
  return {
    reminderId: row.reminder_id,
    taskId: row.task_id,
    userId: row.user_id,
    at: row.at,
    before: row.before,
    channels: row.channels,
    snoozeTime: row.snooze_time,
    createTime: row.create_time,
  };
}
