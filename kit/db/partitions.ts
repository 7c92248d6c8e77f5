import { logger } from "#observability/logger.ts";
import type { DedicatedConnection } from "./dedicated.ts";

const log = logger("db");

/** A table in ranges of time, with a partition `<table>_default` for what no other one takes. */
export interface PartitionedTable {
  table: string;
  /** A timestamptz, by which it is divided. */
  column: string;
  period: "day" | "month";
  /** For how many of the coming periods partitions are there. */
  ahead: number;
  /** For how long rows are kept at least, in hours; partitions go as a whole. */
  keepHours: number;
}

/** Rows that must not go yet, however old: those for which the condition does not hold. */
export interface Removable {
  sql: string;
  params: readonly unknown[];
}

const always: Removable = { sql: "true", params: [] };

/**
 * Makes the partitions of the present and the coming periods and drops those that are old enough as a whole. Each step
 * gives up at once when writers hold the table; the next round does it then.
 */
export async function maintainPartitions(
  connection: DedicatedConnection,
  partitioned: PartitionedTable,
  { now, removable = always }: { now: Date; removable?: Removable },
): Promise<void> {
  const { table, period, ahead, keepHours } = partitioned;
  const cutoff = now.getTime() - keepHours * 3_600_000;
  await connection.query("SET lock_timeout = 200");
  try {
    const present = await listPartitions(connection, partitioned);
    for (let step = 0; step <= ahead; step += 1) {
      const start = startOf(period, now, step);
      const name = nameOf(partitioned, start);
      if (!present.has(name)) await attempt("create", name, () => create(connection, partitioned, start));
    }
    for (const [name, start] of present) {
      const isOld = startOf(period, start, 1).getTime() < cutoff;
      if (isOld) await attempt("drop", name, () => dropIf(connection, name, removable));
    }
    await attempt("sweep", `${table}_default`, () =>
      sweepDefault(connection, partitioned, new Date(cutoff), removable),
    );
  } finally {
    await connection.query("SET lock_timeout = 0");
  }
}

/** SQL for a migration: makes the partition of the period in which it runs, and the default one. */
export function firstPartitions({ table, period }: Pick<PartitionedTable, "table" | "period">): string[] {
  const [format, length] = period === "day" ? ["YYYYMMDD", "1 day"] : ["YYYYMM", "1 month"];
  return [
    `CREATE TABLE ${table}_default PARTITION OF ${table} DEFAULT`,
    `DO $$
    DECLARE first timestamp := date_trunc('${period}', now() AT TIME ZONE 'UTC');
    BEGIN
      EXECUTE format('CREATE TABLE ${table}_%s PARTITION OF ${table} FOR VALUES FROM (%L) TO (%L)',
        to_char(first, '${format}'), first AT TIME ZONE 'UTC', (first + interval '${length}') AT TIME ZONE 'UTC');
    END $$`,
  ];
}

async function listPartitions(connection: DedicatedConnection, { table }: PartitionedTable) {
  const rows = await connection.query<{ name: string }>(
    "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = $1::regclass",
    [table],
  );
  const found = new Map<string, Date>();
  for (const { name } of rows) {
    const [, year, month, day = "01"] = /_(\d{4})(\d\d)(\d\d)?$/.exec(name) ?? [];
    if (year) found.set(name, new Date(`${year}-${month}-${day}T00:00:00Z`));
  }
  return found;
}

/** Attached afterwards: `CREATE … PARTITION OF` would lock out the writers. */
async function create(connection: DedicatedConnection, partitioned: PartitionedTable, start: Date): Promise<void> {
  const { table, column, period } = partitioned;
  const name = nameOf(partitioned, start);
  const end = startOf(period, start, 1);
  const strays = await connection.query(
    `SELECT 1 FROM ${table}_default WHERE ${column} >= $1 AND ${column} < $2 LIMIT 1`,
    [start, end],
  );
  // Rows of this period are in the default partition already, so the whole period stays there.
  if (strays.length > 0) return;
  await connection.query(`CREATE TABLE IF NOT EXISTS ${name} (LIKE ${table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)`);
  await connection.query(
    `ALTER TABLE ${table} ATTACH PARTITION ${name} FOR VALUES FROM ('${start.toISOString()}') TO ('${end.toISOString()}')`,
  );
}

async function dropIf(connection: DedicatedConnection, name: string, { sql, params }: Removable): Promise<void> {
  const kept = await connection.query(`SELECT 1 FROM ${name} WHERE NOT (${sql}) LIMIT 1`, params);
  if (kept.length === 0) await connection.query(`DROP TABLE ${name}`);
}

/** The default partition fills only when nobody made the others in time; it cannot be dropped, so its old rows are deleted. */
async function sweepDefault(
  connection: DedicatedConnection,
  { table, column }: PartitionedTable,
  cutoff: Date,
  { sql, params }: Removable,
): Promise<void> {
  await connection.query(`DELETE FROM ${table}_default WHERE ${sql} AND ${column} < $${params.length + 1}`, [
    ...params,
    cutoff,
  ]);
}

async function attempt(what: string, partition: string, fn: () => Promise<void>): Promise<void> {
  try {
    await fn();
  } catch (error) {
    log.warn({ what, partition, error }, "left a partition for the next round");
  }
}

/** The start of the period in UTC that is so many periods after the one of the given time. */
function startOf(period: PartitionedTable["period"], time: Date, later: number): Date {
  const [year, month, day] = [time.getUTCFullYear(), time.getUTCMonth(), time.getUTCDate()];
  return new Date(period === "day" ? Date.UTC(year, month, day + later) : Date.UTC(year, month + later));
}

function nameOf({ table, period }: PartitionedTable, start: Date): string {
  return `${table}_${start
    .toISOString()
    .slice(0, period === "day" ? 10 : 7)
    .replaceAll("-", "")}`;
}
