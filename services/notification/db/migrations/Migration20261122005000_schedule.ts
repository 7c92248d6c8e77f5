import { sqlMigration } from "#kit/db/migrate.ts";

export const schedule = sqlMigration(
  "Migration20261122005000_schedule",
  [
    `create table schedule (
      reminder_id uuid primary key,
      recipient_id uuid not null,
      task_id uuid not null,
      task_title text not null,
      channels text[],
      at timestamptz(3),
      before integer,
      snooze_time timestamptz(3),
      due_local text,
      due_time_zone text,
      time_zone text not null,
      is_open boolean not null,
      source_event_id uuid not null,
      fire_time timestamptz(3),
      state text not null constraint schedule_state check (state in ('waiting', 'fired', 'missed', 'idle')),
      constraint schedule_time check (fire_time is not null or state = 'idle')
    )`,
    "create index schedule_waiting on schedule (fire_time) where state = 'waiting' and is_open",
    "create index schedule_task on schedule (task_id)",
    "create index schedule_recipient on schedule (recipient_id)",
  ],
  ["drop table schedule"],
);
