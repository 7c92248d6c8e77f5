import type { PartitionedTable } from "#kit/db/partitions.ts";
import { statement } from "#kit/db/statement.ts";
import {
  type OutgoingEvent,
  outboxAllCte,
  outboxArrays,
  outboxColumns,
  outboxCte,
  outboxParameter,
  outboxParameters,
} from "#kit/events/outbox.ts";
import type { Run } from "./queries.ts";

/** An event, and what the activity of its task keeps of it. */
export interface RecordedEvent extends OutgoingEvent {
  actorId: string;
  /** A TaskActivity with nothing but its fact. */
  fact: Uint8Array;
}

export interface Activity {
  activityId: string;
  taskId: string;
  sequence: bigint;
  occurTime: Date;
  actorId: string;
  fact: Uint8Array;
}

interface ActivityRow {
  activity_id: string;
  task_id: string;
  sequence: bigint;
  occur_time: Date;
  actor_id: string;
  fact: Buffer;
}

/** Where a page of activity ends. */
export interface ActivityCursor {
  occurTime: string;
  sequence: string;
}

/** The partitions by month; `keepDays` is how long activity stays at least. */
export function activityTable(keepDays: number): PartitionedTable {
  return { table: "task_activity", column: "occur_time", period: "month", ahead: 2, keepHours: keepDays * 24 };
}

const columns = "task_id, occur_time, sequence, activity_id, actor_id, fact";
const fromOutbox = ["key", "occur_time", "sequence", "event_id"] as const;

/**
 * An event and its place in the activity, as a part of a larger `WITH` that goes on with `SELECT FROM outbox`. The
 * parameters start at `first`; see `eventParameters`.
 */
export function eventCte(first: number): string {
  const [key, ...others] = fromOutbox.map((column) => outboxParameter(first, column));
  const own = first + outboxColumns;
  return `${outboxCte(first)}, activity AS (INSERT INTO task_activity (${columns})
     VALUES (${key}::uuid, ${others.join(", ")}, $${own}::uuid, $${own + 1}::bytea))`;
}

export function eventParameters(event: RecordedEvent): unknown[] {
  return [...outboxParameters(event), event.actorId, bytesOf(event)];
}

const recordStatement = statement(
  "task-record-events",
  `WITH ${outboxAllCte(1)}, activity AS (INSERT INTO task_activity (${columns})
     SELECT key::uuid, occur_time, sequence, activity_id, actor_id, fact
     FROM unnest(${fromOutbox.map((column) => outboxParameter(1, column, "[]")).join(", ")},
       $${outboxColumns + 1}::uuid[], $${outboxColumns + 2}::bytea[])
       AS row (key, occur_time, sequence, activity_id, actor_id, fact))
   SELECT FROM outbox`,
  { operation: "INSERT", collection: "outbox_event" },
);

export const activityPage = statement(
  "task-activity-page",
  `SELECT ${columns} FROM task_activity
   WHERE task_id = $1::uuid AND occur_time >= $2::timestamptz AND occur_time <= $3::timestamptz
     AND (occur_time, sequence) < ($3::timestamptz, $4::bigint)
   ORDER BY occur_time DESC, sequence DESC LIMIT $5`,
);

const afterAll: ActivityCursor = { occurTime: "infinity", sequence: "0" };

/** Appends events to the outbox and to the activity of their tasks, in their order; the rule of `appendOutbox` holds. */
export async function recordEvents(run: Run, events: readonly RecordedEvent[]): Promise<void> {
  if (events.length === 0) return;
  const actorIds = events.map(({ actorId }) => actorId);
  await run(recordStatement, [...outboxArrays(events), actorIds, events.map(bytesOf)]);
}

/** At most `limit` of what happened to a task, newest first, before the cursor and not before `since`. */
export async function activityBefore(
  run: Run,
  taskId: string,
  { since, before = afterAll, limit }: { since: Date; before?: ActivityCursor | undefined; limit: number },
): Promise<Activity[]> {
  const rows = await run<ActivityRow>(activityPage, [taskId, since, before.occurTime, before.sequence, limit]);
  return rows.map((row) => ({
    activityId: row.activity_id,
    taskId: row.task_id,
    sequence: row.sequence,
    occurTime: row.occur_time,
    actorId: row.actor_id,
    fact: row.fact,
  }));
}

function bytesOf({ fact }: RecordedEvent): Buffer {
  return Buffer.from(fact.buffer, fact.byteOffset, fact.byteLength);
}
