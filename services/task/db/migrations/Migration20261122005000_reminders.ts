import { sqlMigration } from "#kit/db/migrate.ts";

export const reminders = sqlMigration(
  "Migration20261122005000_reminders",
  [
    `create table reminder (
      reminder_id uuid primary key,
      task_id uuid not null,
      user_id uuid not null,
      at timestamptz(3),
      before integer,
      channels smallint[] not null,
      snooze_time timestamptz(3),
      create_time timestamptz(3) not null,
      constraint reminder_moment check ((at is null) <> (before is null))
    )`,
    "create index reminder_task on reminder (task_id, user_id, create_time, reminder_id)",
  ],
  ["drop table reminder"],
);
