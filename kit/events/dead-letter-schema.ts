import { sqlMigration } from "#kit/db/migrate.ts";

/** What redriving needs to know of a dead letter: where its record is, and how often it was sent back. */
export const deadLetterMigration = sqlMigration(
  "Migration20261121210000_dead_letter",
  [
    `ALTER TABLE dead_letter
      ADD COLUMN letter_partition integer,
      ADD COLUMN letter_offset bigint,
      ADD COLUMN redrive_count integer NOT NULL DEFAULT 0`,
    `CREATE INDEX dead_letter_waiting ON dead_letter (group_name, topic, partition_number, record_offset)
      WHERE redrive_time IS NULL`,
  ],
  [
    "DROP INDEX dead_letter_waiting",
    "ALTER TABLE dead_letter DROP COLUMN letter_partition, DROP COLUMN letter_offset, DROP COLUMN redrive_count",
  ],
);
