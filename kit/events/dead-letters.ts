import type { Database } from "#kit/db/database.ts";
import { statement } from "#kit/db/statement.ts";
import { newId } from "#kit/id.ts";
import { errorType } from "#observability/error-type.ts";
import { type Delivery, PermanentEventError } from "./chain.ts";
import { type Headers, retryHeaders } from "./event.ts";
import type { EventProducer } from "./producer.ts";
import { deadLetterTopic, retryStages } from "./topics.ts";

/** An event that a group gave up. */
export interface DeadLetter {
  deadLetterId: string;
  group: string;
  /** Where it came from. */
  topic: string;
  partition: number;
  offset: bigint;
  key: string;
  eventId: string;
  type: string;
  /** Out of a closed set: "tries_exhausted", or why trying again makes no sense. */
  reason: string;
  /** The kind of the last error; never its text. */
  errorClass: string;
  attempts: number;
  failTime: Date;
  /** When it was last sent back, if it was. */
  redriveTime: Date | null;
}

const bury = statement(
  "dead-letter-bury",
  `INSERT INTO dead_letter (dead_letter_id, group_name, topic, partition_number, record_offset, key, event_id, type,
     headers, payload, reason, error_class, attempts)
   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
   ON CONFLICT (group_name, topic, partition_number, record_offset) DO UPDATE
     SET reason = excluded.reason, error_class = excluded.error_class, attempts = excluded.attempts,
       fail_time = now(), redrive_time = NULL`,
);

export interface DeadLettersOptions {
  group: string;
  database: Database;
  producer: EventProducer;
}

/** Keeps the events that a group gave up: a row to list and redrive them by, and a record for whoever reads the topic. */
export class DeadLetters {
  readonly #options: DeadLettersOptions;

  constructor(options: DeadLettersOptions) {
    this.#options = options;
  }

  async bury({ meta, value, headers }: Delivery, error: unknown): Promise<void> {
    const { group, database, producer } = this.#options;
    const reason = error instanceof PermanentEventError ? error.reason : "tries_exhausted";
    const errorClass = errorType(error);
    const kept = withoutRetryState(headers);
    await database.query(bury, [
      newId(),
      group,
      meta.topic,
      meta.partition,
      meta.offset,
      meta.key,
      meta.eventId,
      meta.type,
      JSON.stringify(kept),
      Buffer.from(value),
      reason,
      errorClass,
      meta.attempt,
    ]);
    const { topic, partition, offset, attempt } = meta;
    const told = { mesh_reason: reason, mesh_error_class: errorClass };
    await producer.send([
      {
        topic: deadLetterTopic(group),
        key: meta.key,
        value,
        headers: { ...kept, ...retryHeaders({ topic, partition, offset, attempt, dueTime: 0 }), ...told },
      },
    ]);
  }
}

const listing = `SELECT dead_letter_id AS "deadLetterId", group_name AS "group", topic, partition_number AS "partition",
    record_offset AS "offset", key, event_id AS "eventId", type, reason, error_class AS "errorClass", attempts,
    fail_time AS "failTime", redrive_time AS "redriveTime"
  FROM dead_letter`;

export interface DeadLetterFilter {
  /** All groups unless given. */
  group?: string;
  /** Those that were sent back, too. */
  includeRedriven?: boolean;
  limit?: number;
}

/** The dead letters, the newest first. */
export function listDeadLetters(database: Database, filter: DeadLetterFilter = {}): Promise<DeadLetter[]> {
  return database.query<DeadLetter>(
    `${listing} WHERE ($1::text IS NULL OR group_name = $1) AND ($2 OR redrive_time IS NULL)
     ORDER BY fail_time DESC, dead_letter_id DESC LIMIT $3`,
    [filter.group ?? null, filter.includeRedriven ?? false, filter.limit ?? 100],
    { name: "dead-letter-list" },
  );
}

const takeForRedrive = statement(
  "dead-letter-redrive",
  `UPDATE dead_letter SET redrive_time = now()
   WHERE dead_letter_id IN (
     SELECT dead_letter_id FROM dead_letter
     WHERE group_name = $1 AND redrive_time IS NULL AND ($2::uuid[] IS NULL OR dead_letter_id = ANY ($2::uuid[]))
     ORDER BY fail_time, dead_letter_id LIMIT $3 FOR UPDATE SKIP LOCKED)
   RETURNING dead_letter_id, topic, partition_number, record_offset, key, headers, payload, fail_time`,
);
const putBack = statement(
  "dead-letter-put-back",
  "UPDATE dead_letter SET redrive_time = NULL WHERE dead_letter_id = ANY ($1)",
);

interface Redriven {
  dead_letter_id: string;
  topic: string;
  partition_number: number;
  record_offset: bigint;
  key: string;
  headers: Headers;
  payload: Buffer;
  fail_time: Date;
}

export interface RedriveOptions {
  database: Database;
  producer: EventProducer;
  group: string;
  /** All that were not sent back yet, unless given. */
  deadLetterIds?: string[];
  limit?: number;
}

/**
 * Sends dead letters back to their group alone, by its first retry topic and without a wait, the oldest first. They
 * keep event id and trace; the tries count from the start. Answers how many.
 */
export async function redriveDeadLetters({ database, producer, group, ...what }: RedriveOptions): Promise<number> {
  const [first] = retryStages(group);
  if (first === undefined) throw new Error(`the group ${group} has no retry topic`);
  const taken = await database.query<Redriven>(takeForRedrive, [group, what.deadLetterIds ?? null, what.limit ?? 1000]);
  const rows = taken.sort((a, b) => a.fail_time.getTime() - b.fail_time.getTime());
  if (rows.length === 0) return 0;
  try {
    await producer.send(rows.map((row) => toRecord(row, first.topic)));
  } catch (error) {
    await database.query(putBack, [rows.map((row) => row.dead_letter_id)]);
    throw error;
  }
  return rows.length;
}

function toRecord(row: Redriven, topic: string) {
  const origin = { topic: row.topic, partition: row.partition_number, offset: String(row.record_offset) };
  const headers = { ...row.headers, ...retryHeaders({ ...origin, attempt: 0, dueTime: 0 }) };
  return { topic, key: row.key, value: row.payload, headers };
}

function withoutRetryState(headers: Headers): Headers {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith("mesh_")));
}
