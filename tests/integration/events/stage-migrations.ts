import { sqlMigration } from "#kit/db/migrate.ts";
import { consumerMigration } from "#kit/events/consumer.ts";
import { deadLetterMigration } from "#kit/events/dead-letter-schema.ts";
import { outboxMigration } from "#kit/events/outbox.ts";

const tables = sqlMigration(
  "Migration20261121000002_stage",
  [
    "CREATE TABLE aggregate (aggregate_id text PRIMARY KEY, event_sequence bigint NOT NULL DEFAULT 0)",
    "CREATE TABLE effect (effect_id bigserial PRIMARY KEY, event_id uuid NOT NULL, key text NOT NULL, member text NOT NULL)",
  ],
  [],
);

/** What a test's database holds: an aggregate to lock, an effect to count, and the kit's own tables. */
export const stageMigrations = [outboxMigration, consumerMigration, deadLetterMigration, tables];
