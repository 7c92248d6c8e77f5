import { sqlMigration } from "#kit/db/migrate.ts";

export const alerts = sqlMigration(
  "Migration20261122005500_alerts",
  [
    `create table alert (
      alert_id uuid primary key,
      raiser_id uuid not null,
      message text not null,
      latitude double precision,
      longitude double precision,
      create_time timestamptz(3) not null,
      acknowledge_time timestamptz(3),
      acknowledger_id uuid,
      trace_id text not null,
      constraint alert_location check ((latitude is null) = (longitude is null))
    )`,
    "create index alert_raiser on alert (raiser_id, alert_id)",
    `create table alert_recipient (
      alert_id uuid not null,
      recipient_id uuid not null,
      place integer not null,
      level integer not null,
      notices integer not null,
      next_notice_time timestamptz(3),
      notify_time timestamptz(3),
      acknowledge_time timestamptz(3),
      primary key (alert_id, recipient_id)
    )`,
    "create index alert_recipient_person on alert_recipient (recipient_id, alert_id)",
    "create index alert_recipient_due on alert_recipient (next_notice_time) where next_notice_time is not null",
  ],
  ["drop table alert_recipient", "drop table alert"],
);
