import { sqlMigration } from "#kit/db/migrate.ts";
import { firstPartitions } from "#kit/db/partitions.ts";

/**
 * A transaction's own number does not follow the order of a row lock: one that waits for the lock may have its number
 * already when a newcomer gets the lock first. The newest completed transaction is never older than the one that held
 * the lock before, so the greater of the two follows the lock. It is never smaller than the own number either: once
 * every transaction up to it has ended, the writer has ended too, and no row can still appear in front.
 */
const order = `greatest(
  pg_current_xact_id(),
  (pg_snapshot_xmax(pg_current_snapshot())::text::bigint - 1)::text::xid8
)`;

/**
 * Order in the outbox is (xid, seq). Rows are never updated and never deleted one by one; partitions go as a whole once
 * they have been sent.
 */
export const outboxMigration = sqlMigration(
  "Migration20261121000000_outbox",
  [
    `CREATE TABLE outbox_event (
      xid xid8 NOT NULL DEFAULT ${order},
      seq bigserial NOT NULL,
      insert_time timestamptz NOT NULL DEFAULT now(),
      topic text NOT NULL,
      key text NOT NULL,
      event_id uuid NOT NULL,
      type text NOT NULL,
      sequence bigint NOT NULL,
      payload bytea NOT NULL,
      occur_time timestamptz NOT NULL,
      traceparent text,
      tracestate text,
      PRIMARY KEY (xid, seq, insert_time)
    ) PARTITION BY RANGE (insert_time)`,
    ...firstPartitions({ table: "outbox_event", period: "day" }),
    // `asleep` tells writers that the relay waits for a notification; `epoch` is the number of the leader that may move it.
    `CREATE TABLE outbox_cursor (
      source text PRIMARY KEY,
      xid xid8 NOT NULL DEFAULT '0',
      seq bigint NOT NULL DEFAULT 0,
      epoch bigint NOT NULL DEFAULT 0,
      asleep boolean NOT NULL DEFAULT true,
      beat_time timestamptz NOT NULL DEFAULT now()
    ) WITH (fillfactor = 20)`,
  ],
  ["DROP TABLE outbox_cursor", "DROP TABLE outbox_event"],
);
