import type { DedicatedConnection } from "#kit/db/dedicated.ts";
import { maintainPartitions } from "#kit/db/partitions.ts";

export interface OutboxPartitionOptions {
  now: Date;
  /** How long sent events are kept, in hours. */
  keepHours: number;
  /** How far the outbox has been sent. */
  position: readonly [xid: string, seq: string];
}

/** Makes the outbox's partitions of the coming days, and drops those that are sent as a whole and old enough. */
export function maintainOutbox(
  connection: DedicatedConnection,
  { now, keepHours, position }: OutboxPartitionOptions,
): Promise<void> {
  return maintainPartitions(
    connection,
    { table: "outbox_event", column: "insert_time", period: "day", ahead: 2, keepHours },
    { now, removable: { sql: "(xid, seq) <= ($1::xid8, $2::bigint)", params: position } },
  );
}
