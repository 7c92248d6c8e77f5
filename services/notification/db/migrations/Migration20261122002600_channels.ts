import { sqlMigration } from "#kit/db/migrate.ts";

// Columns that programs of the version before do not fill may stay empty.
export const channels = sqlMigration(
  "Migration20261122002600_channels",
  [
    `create table webhook (
      webhook_id uuid primary key,
      owner_id uuid not null,
      display_name text not null,
      url bytea not null,
      secret bytea not null,
      old_secret bytea,
      old_secret_expire_time timestamptz(3),
      kinds text[] not null,
      state text not null constraint webhook_state check (state in ('enabled', 'disabled', 'failing', 'gone')),
      failures integer not null default 0,
      failing_since timestamptz(3),
      version integer not null default 1,
      create_time timestamptz(3) not null,
      update_time timestamptz(3) not null
    )`,
    "create index webhook_owner on webhook (owner_id, webhook_id)",
    "alter table delivery alter column notification_id drop not null",
    "alter table delivery add column webhook_id uuid, add column sequence bigint",
    "alter table delivery add constraint delivery_target check ((webhook_id is not null) = (channel = 'webhook'))",
    "alter table delivery add constraint delivery_notified check (notification_id is not null or channel = 'webhook')",
    "alter table delivery drop constraint delivery_notification_channel",
    `create unique index delivery_notification_channel on delivery (notification_id, channel)
     where webhook_id is null`,
    `create unique index delivery_notification_webhook on delivery (notification_id, webhook_id)
     where webhook_id is not null`,
    "create index delivery_webhook on delivery (webhook_id, sequence) where webhook_id is not null",
  ],
  [
    "delete from delivery where channel <> 'email'",
    "drop index delivery_webhook",
    "drop index delivery_notification_webhook",
    "drop index delivery_notification_channel",
    "alter table delivery add constraint delivery_notification_channel unique (notification_id, channel)",
    "alter table delivery drop constraint delivery_notified, drop constraint delivery_target",
    "alter table delivery drop column sequence, drop column webhook_id",
    "alter table delivery alter column notification_id set not null",
    "drop table webhook",
  ],
);
