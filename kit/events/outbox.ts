import { type EntityManager, execute } from "#kit/db/database.ts";
import { statement } from "#kit/db/statement.ts";
import { injectContext } from "#observability/tracing.ts";
import type { OutgoingEvent } from "./event.ts";

export { outboxMigration } from "./outbox-schema.ts";
export type { OutgoingEvent };

/** What writers notify and the relay listens to. */
export const outboxChannel = "outbox_event";

const columns = [
  ["topic", "text"],
  ["key", "text"],
  ["event_id", "uuid"],
  ["type", "text"],
  ["sequence", "bigint"],
  ["payload", "bytea"],
  ["occur_time", "timestamptz"],
  ["traceparent", "text"],
  ["tracestate", "text"],
] as const;
/** How many parameters `outboxCte` and `outboxAllCte` take. */
export const outboxColumns = columns.length;
const columnNames = columns.map(([name]) => name).join(", ");

// A notification makes commits wait for each other, so it is sent only while the relay sleeps. It goes out at commit.
const wake = `(SELECT pg_notify('${outboxChannel}', '') FROM outbox_cursor WHERE asleep LIMIT 1)`;

/**
 * Appends an event inside the caller's transaction; it is sent once that has committed, and never if it has not.
 *
 * Order per key holds under one rule: an earlier statement of the transaction has locked the aggregate's row, by
 * `SELECT … FOR UPDATE` or by changing it; then bump its event sequence, then append. An aggregate that the same
 * statement or transaction creates needs no lock.
 */
export async function appendOutbox(em: EntityManager, event: OutgoingEvent): Promise<void> {
  await execute(em, appendOne, outboxParameters(event));
}

/** Appends several events, in their order, in one statement. */
export async function appendOutboxAll(em: EntityManager, events: readonly OutgoingEvent[]): Promise<void> {
  if (events.length > 0) await execute(em, appendAll, outboxArrays(events));
}

/**
 * The append as a part of a larger `WITH`, so that a domain row and its event are one round trip:
 * `WITH task AS (INSERT …), ${outboxCte(9)} SELECT …`. Its `outboxColumns` parameters start at `first`; see `outboxParameters`.
 * For a row that exists already, take its lock in an earlier statement: this one's snapshot must be younger than the lock.
 */
export function outboxCte(first: number): string {
  const values = columns.map(([_, type], index) => `$${first + index}::${type}`);
  return `outbox AS (INSERT INTO outbox_event (${columnNames}) VALUES (${values.join(", ")}) RETURNING ${wake})`;
}

/** The same of several events, in their order: each of its parameters is an array; see `outboxArrays`. */
export function outboxAllCte(first: number): string {
  return `outbox AS (INSERT INTO outbox_event (${columnNames})
   SELECT ${columnNames} FROM unnest(${columns.map(([_, type], index) => `$${first + index}::${type}[]`).join(", ")})
     WITH ORDINALITY AS row (${columnNames}, place) ORDER BY place
   RETURNING ${wake})`;
}

/** A parameter of `outboxCte` or `outboxAllCte`, for other parts of the statement: `$9::text`. */
export function outboxParameter(first: number, column: (typeof columns)[number][0], suffix: "" | "[]" = ""): string {
  const index = columns.findIndex(([name]) => name === column);
  return `$${first + index}::${columns[index]?.[1]}${suffix}`;
}

/** The parameters of `outboxAllCte`. */
export function outboxArrays(events: readonly OutgoingEvent[]): unknown[][] {
  const rows = events.map(outboxParameters);
  return columns.map((_, column) => rows.map((row) => row[column]));
}

/** The parameters of `outboxCte`, with the context of the active span. */
export function outboxParameters(event: OutgoingEvent): unknown[] {
  const { traceparent, tracestate } = injectContext<{ traceparent?: string; tracestate?: string }>({});
  return [
    event.topic,
    event.key,
    event.eventId,
    event.type,
    String(event.sequence),
    Buffer.from(event.payload.buffer, event.payload.byteOffset, event.payload.byteLength),
    event.occurTime,
    traceparent ?? null,
    tracestate ?? null,
  ];
}

const summary = { operation: "INSERT", collection: "outbox_event" };

const appendOne = statement("outbox-append", `WITH ${outboxCte(1)} SELECT FROM outbox`, summary);

const appendAll = statement("outbox-append-all", `WITH ${outboxAllCte(1)} SELECT FROM outbox`, summary);
