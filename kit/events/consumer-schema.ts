import { sqlMigration } from "#kit/db/migrate.ts";

/** The tables of a database that holds the effects of events. */
export const consumerMigration = sqlMigration(
  "Migration20261121000001_consumer",
  [
    `CREATE TABLE inbox_event (
      event_id uuid NOT NULL,
      group_name text NOT NULL,
      receive_time timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (event_id, group_name)
    )`,
    "CREATE INDEX inbox_event_receive_time ON inbox_event USING brin (receive_time)",
    // One row for each event that waits in a retry topic, in the order in which the events of its key came.
    `CREATE TABLE parked_key (
      position bigserial PRIMARY KEY,
      group_name text NOT NULL,
      topic text NOT NULL,
      partition_number integer NOT NULL,
      key text NOT NULL,
      event_id uuid NOT NULL,
      stage integer NOT NULL,
      due_time timestamptz NOT NULL,
      move_time timestamptz NOT NULL DEFAULT clock_timestamp(),
      UNIQUE (group_name, topic, key, event_id)
    )`,
    "CREATE INDEX parked_key_partition ON parked_key (group_name, topic, partition_number)",
    `CREATE TABLE dead_letter (
      dead_letter_id uuid PRIMARY KEY,
      group_name text NOT NULL,
      topic text NOT NULL,
      partition_number integer NOT NULL,
      record_offset bigint NOT NULL,
      key text NOT NULL,
      event_id text NOT NULL,
      type text NOT NULL,
      headers jsonb NOT NULL,
      payload bytea NOT NULL,
      reason text NOT NULL,
      error_class text NOT NULL,
      attempts integer NOT NULL,
      fail_time timestamptz NOT NULL DEFAULT now(),
      redrive_time timestamptz,
      UNIQUE (group_name, topic, partition_number, record_offset)
    )`,
  ],
  ["DROP TABLE dead_letter", "DROP TABLE parked_key", "DROP TABLE inbox_event"],
);
