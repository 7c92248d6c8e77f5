import type { Family } from "#observability/exposition.ts";
import { readServerStatistics, type ServerStatistics } from "../runner/db/server-statistics.ts";
import { type Column, single, table } from "./families.ts";
import type { ReplicaSource, ReplicaWatch } from "./replicas.ts";

type Rows<Name extends "databases" | "activity" | "slots" | "io"> = readonly Column<ServerStatistics[Name][number]>[];

const perDatabase: Rows<"databases"> = [
  ["gauge", "pg_database_size_bytes", "Disk space of a database", ({ bytes }) => bytes],
  ["unknown", "pg_stat_database_xact_commit", "Transactions committed", ({ commits }) => commits],
  ["unknown", "pg_stat_database_xact_rollback", "Transactions rolled back", ({ rollbacks }) => rollbacks],
  ["unknown", "pg_stat_database_blks_hit", "Blocks found in memory", ({ blocksHit }) => blocksHit],
  ["unknown", "pg_stat_database_blks_read", "Blocks read from disk", ({ blocksRead }) => blocksRead],
  ["unknown", "pg_stat_database_deadlocks", "Deadlocks", ({ deadlocks }) => deadlocks],
];

const perState: Rows<"activity"> = [
  ["gauge", "pg_stat_activity_count", "Sessions by database and state", ({ count }) => count],
  [
    "gauge",
    "pg_stat_activity_max_tx_duration",
    "Seconds that the longest transaction under way has taken",
    ({ longestSeconds }) => longestSeconds,
  ],
];

const perSlot: Rows<"slots"> = [
  ["gauge", "pg_replication_slots_active", "Whether the replica of a slot is connected", ({ isActive }) => isActive],
  [
    "gauge",
    "pg_replication_slots_pg_wal_lsn_diff",
    "Bytes of the log that are kept for a slot",
    ({ keptBytes }) => keptBytes,
  ],
];

const perOperation: Rows<"io"> = [
  ["counter", "pg_stat_io_wait_seconds", "Time that sessions have waited for the disk", ({ seconds }) => seconds],
];

export interface PostgresSource {
  url: string;
  replicas: readonly ReplicaSource[];
  watch: ReplicaWatch;
}

/** PostgreSQL as postgres_exporter names it, whose counters do not end in `_total`. */
export async function postgresFamilies({ url, replicas, watch }: PostgresSource): Promise<Family[]> {
  const statistics = await readServerStatistics(url).catch(() => undefined);
  const up = single("gauge", "pg_up", "Whether PostgreSQL answers", statistics === undefined ? 0 : 1);
  const followers = await watch.families(replicas, statistics?.position);
  if (statistics === undefined) return [up, ...followers];
  const { activity, databases, io, maxConnections, slots, waitingForLocks } = statistics;
  return [
    up,
    ...followers,
    ...table(slots, ({ name }) => ({ slot_name: name }), perSlot),
    single("gauge", "pg_settings_max_connections", "Connections that the server takes", maxConnections),
    ...table(activity, ({ datname, state }) => ({ datname, state }), perState),
    single("gauge", "pg_stat_activity_waiting_for_locks", "Sessions that wait for a lock", waitingForLocks),
    ...table(io, ({ operation }) => ({ operation }), perOperation),
    ...table(databases, ({ datname }) => ({ datname }), perDatabase),
  ];
}
