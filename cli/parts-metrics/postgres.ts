import type { Family } from "#observability/exposition.ts";
import { readServerStatistics, type ServerStatistics } from "../runner/db/server-statistics.ts";
import { family, single } from "./families.ts";

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

/** PostgreSQL as postgres_exporter names it, whose counters do not end in `_total`. */
export async function postgresFamilies(url: string): Promise<Family[]> {
  const statistics = await readServerStatistics(url).catch(() => undefined);
  const up = single("gauge", "pg_up", "Whether PostgreSQL answers", statistics === undefined ? 0 : 1);
  if (statistics === undefined) return [up];
  const { activity, databases, maxConnections, waitingForLocks } = statistics;
  return [
    up,
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
