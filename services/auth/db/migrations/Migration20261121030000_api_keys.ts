import { sqlMigration } from "#kit/db/migrate.ts";

export const apiKeys = sqlMigration(
  "Migration20261121030000_api_keys",
  [
    "ALTER TABLE account ADD COLUMN tier text NOT NULL DEFAULT 'standard'",
    `CREATE TABLE api_key (
      api_key_id uuid PRIMARY KEY,
      user_id uuid NOT NULL CONSTRAINT api_key_user_id_foreign REFERENCES account ON DELETE CASCADE,
      name text NOT NULL,
      scopes text[] NOT NULL,
      key_hash bytea NOT NULL,
      create_time timestamptz(3) NOT NULL,
      expire_time timestamptz(3) NOT NULL,
      last_used_time timestamptz(3),
      revoked_time timestamptz(3),
      notice_time timestamptz(3)
    )`,
    "CREATE INDEX api_key_user_id_index ON api_key (user_id)",
    "CREATE INDEX api_key_expire_time_index ON api_key (expire_time)",
    "CREATE INDEX api_key_revoked_time_index ON api_key (revoked_time) WHERE revoked_time IS NOT NULL",
  ],
  ["DROP TABLE api_key", "ALTER TABLE account DROP COLUMN tier"],
);
