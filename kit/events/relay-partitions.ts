import type { DedicatedConnection } from "#kit/db/dedicated.ts";
import { logger } from "#observability/logger.ts";

const log = logger("relay");
const dayMs = 86_400_000;
const daysAhead = 2;
const partitionName = /^outbox_event_(\d{4})(\d\d)(\d\d)$/;

export interface PartitionOptions {
  now: Date;
  /** How long sent events are kept, in hours. */
  keepHours: number;
  /** How far the outbox has been sent. */
  position: readonly [xid: string, seq: string];
}

/**
 * Makes the partitions of the coming days and drops those that are sent as a whole and old enough. Each step gives up
 * at once when writers hold the table; the next round does it then.
 */
export async function maintainPartitions(connection: DedicatedConnection, options: PartitionOptions): Promise<void> {
  await connection.query("SET lock_timeout = 200");
  try {
    const present = await listPartitions(connection);
    for (let day = 0; day <= daysAhead; day += 1) {
      const start = startOfDay(options.now.getTime() + day * dayMs);
      if (!present.has(nameOf(start))) await attempt("create", nameOf(start), () => create(connection, start));
    }
    for (const [name, start] of present) {
      const isOld = start.getTime() + dayMs < options.now.getTime() - options.keepHours * 3_600_000;
      if (isOld) await attempt("drop", name, () => dropIfSent(connection, name, options.position));
    }
    await attempt("sweep", "outbox_event_default", () => sweepDefault(connection, options));
  } finally {
    await connection.query("SET lock_timeout = 0");
  }
}

async function listPartitions(connection: DedicatedConnection): Promise<Map<string, Date>> {
  const rows = await connection.query<{ name: string }>(
    "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'outbox_event'::regclass",
  );
  const found = new Map<string, Date>();
  for (const { name } of rows) {
    const [, year, month, day] = partitionName.exec(name) ?? [];
    if (year) found.set(name, new Date(`${year}-${month}-${day}T00:00:00Z`));
  }
  return found;
}

/** Attached afterwards: `CREATE … PARTITION OF` would lock out the writers. */
async function create(connection: DedicatedConnection, start: Date): Promise<void> {
  const name = nameOf(start);
  const end = new Date(start.getTime() + dayMs);
  const strays = await connection.query(
    "SELECT 1 FROM outbox_event_default WHERE insert_time >= $1 AND insert_time < $2 LIMIT 1",
    [start, end],
  );
  // Rows of this day are in the default partition already, so the whole day stays there.
  if (strays.length > 0) return;
  await connection.query(
    `CREATE TABLE IF NOT EXISTS ${name} (LIKE outbox_event INCLUDING DEFAULTS INCLUDING CONSTRAINTS)`,
  );
  await connection.query(
    `ALTER TABLE outbox_event ATTACH PARTITION ${name} FOR VALUES FROM ('${start.toISOString()}') TO ('${end.toISOString()}')`,
  );
}

async function dropIfSent(connection: DedicatedConnection, name: string, position: PartitionOptions["position"]) {
  const unsent = await connection.query(`SELECT 1 FROM ${name} WHERE (xid, seq) > ($1::xid8, $2::bigint) LIMIT 1`, [
    ...position,
  ]);
  if (unsent.length === 0) await connection.query(`DROP TABLE ${name}`);
}

/** The default partition fills only when no relay ran for days; it cannot be dropped, so its sent rows are deleted. */
async function sweepDefault(connection: DedicatedConnection, { now, keepHours, position }: PartitionOptions) {
  await connection.query(
    "DELETE FROM outbox_event_default WHERE (xid, seq) <= ($1::xid8, $2::bigint) AND insert_time < $3",
    [...position, new Date(now.getTime() - keepHours * 3_600_000)],
  );
}

async function attempt(what: string, partition: string, fn: () => Promise<void>): Promise<void> {
  try {
    await fn();
  } catch (error) {
    log.warn({ what, partition, error }, "left a partition for the next round");
  }
}

function startOfDay(time: number): Date {
  return new Date(Math.floor(time / dayMs) * dayMs);
}

function nameOf(start: Date): string {
  return `outbox_event_${start.toISOString().slice(0, 10).replaceAll("-", "")}`;
}
