import { sqlMigration } from "#kit/db/migrate.ts";

/** The answers to calls that carried an Idempotency-Key. */
export const idempotencyMigration = sqlMigration(
  "Migration20261121020000_idempotency_key",
  [
    `CREATE TABLE idempotency_key (
      user_id uuid NOT NULL,
      key text COLLATE "C" NOT NULL,
      request_hash bytea NOT NULL,
      response bytea NOT NULL,
      expire_time timestamptz NOT NULL,
      PRIMARY KEY (user_id, key)
    )`,
    "CREATE INDEX idempotency_key_expire_time ON idempotency_key (expire_time)",
  ],
  ["DROP TABLE idempotency_key"],
);
