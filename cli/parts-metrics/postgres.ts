import type { Family } from "#observability/exposition.ts";
import { readServerStatistics, type ServerStatistics } from "../runner/db/server-statistics.ts";
import { family, single } from "./families.ts";
import type { ReplicaSource, ReplicaWatch } from "./replicas.ts";

type Database = ServerStatistics["databases"][number];

const perDatabase: readonly (readonly [
  Family["type"],
  name: string,
  help: string,
  field: Exclude<keyof Database, "datname">,
])[] = [
  ["gauge", "pg_database_size_bytes", "Disk space of a database", "bytes"],
  ["unknown", "pg_stat_database_xact_commit", "Transactions committed", "commits"],
  ["unknown", "pg_stat_database_xact_rollback", "Transactions rolled back", "rollbacks"],
  ["unknown", "pg_stat_database_blks_hit", "Blocks found in memory", "blocksHit"],
  ["unknown", "pg_stat_database_blks_read", "Blocks read from disk", "blocksRead"],
  ["unknown", "pg_stat_database_deadlocks", "Deadlocks", "deadlocks"],
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
  const { activity, databases, maxConnections, slots, waitingForLocks } = statistics;
  return [
    up,
    ...followers,
    ...slotFamilies(slots),
    single("gauge", "pg_settings_max_connections", "Connections that the server takes", maxConnections),
    family(
      "gauge",
      "pg_stat_activity_count",
      "Sessions by database and state",
      activity.map(({ datname, state, count }) => [{ datname, state }, count]),
    ),
    family(
      "gauge",
      "pg_stat_activity_max_tx_duration",
      "Seconds that the longest transaction under way has taken",
      activity.map(({ datname, state, longestSeconds }) => [{ datname, state }, longestSeconds]),
    ),
    single("gauge", "pg_stat_activity_waiting_for_locks", "Sessions that wait for a lock", waitingForLocks),
    ...perDatabase.map(([type, name, help, field]) =>
      family(
        type,
        name,
        help,
        databases.map((database) => [{ datname: database.datname }, database[field]]),
      ),
    ),
  ];
}

function slotFamilies(slots: ServerStatistics["slots"]): Family[] {
  if (slots.length === 0) return [];
  const rows = slots.map((slot) => ({ ...slot, labels: { slot_name: slot.name } }));
  return [
    family(
      "gauge",
      "pg_replication_slots_active",
      "Whether the replica of a slot is connected",
      rows.map(({ labels, isActive }) => [labels, isActive ? 1 : 0]),
    ),
    family(
      "gauge",
      "pg_replication_slots_pg_wal_lsn_diff",
      "Bytes of the log that are kept for a slot",
      rows.map(({ labels, keptBytes }) => [labels, keptBytes]),
    ),
  ];
}
