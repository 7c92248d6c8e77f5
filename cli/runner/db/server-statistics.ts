import { setTimeout as sleep } from "node:timers/promises";
import { withClient } from "./client.ts";

const asker = { applicationName: "parts-metrics" };

/** What PostgreSQL counts about itself. Text that somebody sent it is not among it. */
export interface ServerStatistics {
  maxConnections: number;
  /** Of people's and services' sessions, by database and state. */
  activity: { datname: string; state: string; count: number; longestSeconds: number }[];
  databases: {
    datname: string;
    bytes: number;
    commits: number;
    rollbacks: number;
    blocksHit: number;
    blocksRead: number;
    deadlocks: number;
  }[];
  /** Sessions that wait for a lock. */
  waitingForLocks: number;
  /** How long sessions have waited for the disk since the counters began; 0 unless `track_io_timing` is on. */
  io: { operation: string; seconds: number }[];
  /** How far the log is, in bytes. */
  position: bigint;
  /** What is kept for replicas, connected or not. */
  slots: { name: string; isActive: boolean; keptBytes: number }[];
}

/**
 * How far a replica is, in bytes of the log; undefined when it does not answer within two seconds. One that is only just
 * behind what is `awaited` is given half a second to come so far.
 */
export async function readReplayed(url: string, awaited: bigint): Promise<bigint | undefined> {
  return withClient(url, { ...asker, connectMs: 2_000, queryMs: 2_000 }, async (client) => {
    const end = performance.now() + 500;
    for (;;) {
      const { rows } = await client.query<{ position: string | null }>(
        "SELECT pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::text AS position",
      );
      const position = BigInt(rows[0]?.position ?? 0);
      if (position >= awaited || performance.now() > end) return position;
      await sleep(25);
    }
  }).catch(() => undefined);
}

const states = ["active", "idle", "idle in transaction", "idle in transaction (aborted)"];

const activity = `
SELECT datname, state, count(*)::int AS count,
       coalesce(max(extract(epoch FROM now() - xact_start)), 0)::float8 AS longest
FROM pg_stat_activity
WHERE datname IS NOT NULL AND state IS NOT NULL AND pid <> pg_backend_pid() AND backend_type = 'client backend'
GROUP BY datname, state`;
const databases = `
SELECT s.datname, pg_database_size(s.datid)::float8 AS bytes, s.xact_commit::float8 AS commits,
       s.xact_rollback::float8 AS rollbacks, s.blks_hit::float8 AS "blocksHit", s.blks_read::float8 AS "blocksRead",
       s.deadlocks::float8 AS deadlocks
FROM pg_stat_database s JOIN pg_database d ON d.oid = s.datid
WHERE d.datallowconn AND NOT d.datistemplate`;
const server = `
SELECT current_setting('max_connections')::int AS max,
       (SELECT count(*)::int FROM pg_stat_activity WHERE wait_event_type = 'Lock') AS waiting,
       CASE WHEN pg_is_in_recovery() THEN '0' ELSE pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')::text END AS position`;

const io = `
SELECT operation, coalesce(sum(ms), 0)::float8 / 1000 AS seconds
FROM pg_stat_io CROSS JOIN LATERAL (
  VALUES ('read', read_time), ('write', write_time), ('write', writeback_time), ('write', extend_time), ('fsync', fsync_time)
) AS spent (operation, ms)
WHERE backend_type = 'client backend' GROUP BY operation`;

const replication = `
SELECT slot_name AS name, active AS "isActive",
       coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::float8 AS "keptBytes"
FROM pg_replication_slots WHERE slot_type = 'physical'`;

/** Asks a server with the account of `url`, which sees the sessions of all as a superuser or a member of pg_monitor. */
export async function readServerStatistics(url: string): Promise<ServerStatistics> {
  return withClient(url, { ...asker, connectMs: 4_000, queryMs: 4_000 }, async (client) => {
    const settings = await client.query<{ max: number; waiting: number; position: string }>(server);
    const sizes = await client.query<ServerStatistics["databases"][number]>(databases);
    const sessions = await client.query<{ datname: string; state: string; count: number; longest: number }>(activity);
    const waits = await client.query<ServerStatistics["io"][number]>(io);
    const isPrimary = settings.rows[0]?.position !== "0";
    const slots = isPrimary ? (await client.query<ServerStatistics["slots"][number]>(replication)).rows : [];
    const { max, waiting, position } = settings.rows[0] ?? { max: 0, waiting: 0, position: "0" };
    return {
      maxConnections: max,
      waitingForLocks: waiting,
      position: BigInt(position),
      slots,
      io: waits.rows,
      databases: sizes.rows,
      // Every state of every database is told of, so that a graph falls to 0 instead of ending.
      activity: sizes.rows.flatMap(({ datname }) =>
        states.map((state) => {
          const row = sessions.rows.find((session) => session.datname === datname && session.state === state);
          return { datname, state, count: row?.count ?? 0, longestSeconds: row?.longest ?? 0 };
        }),
      ),
    };
  });
}
