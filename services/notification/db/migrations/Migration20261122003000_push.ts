import { sqlMigration } from "#kit/db/migrate.ts";

export const push = sqlMigration(
  "Migration20261122003000_push",
  [
    `create table push_subscription (
      push_subscription_id uuid primary key,
      recipient_id uuid not null,
      endpoint_hash bytea not null,
      browser_hash bytea not null,
      sealed bytea not null,
      push_key text not null,
      retry_time timestamptz(3),
      expire_time timestamptz(3),
      create_time timestamptz(3) not null,
      constraint push_subscription_browser unique (recipient_id, endpoint_hash)
    )`,
    "create index push_subscription_browser_hash on push_subscription (browser_hash)",
    "alter table delivery add column reached uuid[]",
  ],
  ["alter table delivery drop column reached", "drop table push_subscription"],
);
