import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";

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
  const client = new pg.Client({
    connectionString: url,
    application_name: "parts-metrics",
    connectionTimeoutMillis: 2000,
    query_timeout: 2000,
  });
  client.on("error", () => {});
  try {
    await client.connect();
    const end = performance.now() + 500;
    for (;;) {
      const { rows } = await client.query<{ position: string | null }>(
        "SELECT pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::text AS position",
      );
      const position = BigInt(rows[0]?.position ?? 0);
      if (position >= awaited || performance.now() > end) return position;
      await sleep(25);
    }
  } catch {
    return undefined;
  } finally {
    await client.end().catch(() => {});
  }
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

const replication = `
SELECT slot_name AS name, active AS "isActive",
       coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::float8 AS "keptBytes"
FROM pg_replication_slots WHERE slot_type = 'physical'`;

/** Asks a server with the account of `url`, which sees the sessions of all as a superuser or a member of pg_monitor. */
export async function readServerStatistics(url: string): Promise<ServerStatistics> {
  const client = new pg.Client({
    connectionString: url,
    application_name: "parts-metrics",
    connectionTimeoutMillis: 4000,
    statement_timeout: 4000,
    query_timeout: 4000,
  });
  client.on("error", () => {});
  await client.connect();
  try {
    const settings = await client.query<{ max: number; waiting: number; position: string }>(server);
    const sizes = await client.query<ServerStatistics["databases"][number]>(databases);
    const sessions = await client.query<{ datname: string; state: string; count: number; longest: number }>(activity);
    const isPrimary = settings.rows[0]?.position !== "0";
    const slots = isPrimary ? (await client.query<ServerStatistics["slots"][number]>(replication)).rows : [];
    const { max, waiting, position } = settings.rows[0] ?? { max: 0, waiting: 0, position: "0" };
    return {
      maxConnections: max,
      waitingForLocks: waiting,
      position: BigInt(position),
      slots,
      databases: sizes.rows,
      // Every state of every database is told of, so that a graph falls to 0 instead of ending.
      activity: sizes.rows.flatMap(({ datname }) =>
        states.map((state) => {
          const row = sessions.rows.find((session) => session.datname === datname && session.state === state);
          return { datname, state, count: row?.count ?? 0, longestSeconds: row?.longest ?? 0 };
        }),
      ),
    };
  } finally {
    await client.end().catch(() => {});
  }
}
