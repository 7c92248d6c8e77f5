import { sqlMigration } from "#kit/db/migrate.ts";

export const inbox = sqlMigration(
  "Migration20261121000010_inbox",
  [
    `create table notification (
      notification_id uuid primary key,
      recipient_id uuid not null,
      source_event_id uuid not null,
      position bigint not null,
      kind text not null,
      title text not null,
      body text not null,
      task_id uuid,
      read_time timestamptz(3),
      create_time timestamptz(3) not null,
      trace_id text not null,
      constraint notification_recipient_position unique (recipient_id, position)
    )`,
    "create index notification_unread on notification (recipient_id, position) where read_time is null",
    `create table delivery (
      delivery_id uuid primary key,
      notification_id uuid not null constraint delivery_notification_id_foreign references notification on delete cascade,
      channel text not null,
      state text not null constraint delivery_state check (state in ('queued', 'sending', 'sent', 'failed')),
      attempts integer not null default 0,
      message_id text,
      failure text,
      claim_expire_time timestamptz(3),
      create_time timestamptz(3) not null,
      update_time timestamptz(3) not null,
      send_time timestamptz(3),
      trace_id text not null,
      constraint delivery_notification_channel unique (notification_id, channel)
    )`,
    `create table inbox_state (
      recipient_id uuid primary key,
      unread_count integer not null default 0 constraint inbox_state_unread_count check (unread_count >= 0),
      revision bigint not null default 0,
      delivery_sequence bigint not null default 0
    ) with (fillfactor = 50)`,
  ],
  ["drop table inbox_state", "drop table delivery", "drop table notification"],
);
