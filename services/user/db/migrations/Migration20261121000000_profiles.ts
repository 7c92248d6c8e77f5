import { sqlMigration } from "#kit/db/migrate.ts";

export const profiles = sqlMigration(
  "Migration20261121000000_profiles",
  [
    `CREATE TABLE profile (
      user_id uuid PRIMARY KEY,
      email text NOT NULL,
      email_key text NOT NULL,
      display_name text NOT NULL,
      locale text NOT NULL,
      time_zone text NOT NULL,
      discoverable boolean NOT NULL,
      revision bigint NOT NULL,
      create_time timestamptz(3) NOT NULL,
      update_time timestamptz(3) NOT NULL
    )`,
    "CREATE UNIQUE INDEX profile_discoverable_email ON profile (email_key) WHERE discoverable",
  ],
  ["DROP TABLE profile"],
);
