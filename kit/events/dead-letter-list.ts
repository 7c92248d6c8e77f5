import type { Database } from "#kit/db/database.ts";
import { statement } from "#kit/db/statement.ts";

/** Where a record stands in Kafka. */
export interface RecordPlace {
  topic: string;
  partition: number;
  offset: bigint;
}

/** An event that a group gave up. */
export interface DeadLetter {
  deadLetterId: string;
  group: string;
  /** Where the event came from: the topic that it was first written to. */
  topic: string;
  partition: number;
  offset: bigint;
  /** Where its record is in the topic of the group's dead letters; null when that could not be noted. */
  letterPartition: number | null;
  letterOffset: bigint | null;
  key: string;
  eventId: string;
  type: string;
  /** Out of a closed set: "tries_exhausted", or why trying again makes no sense. */
  reason: string;
  /** The kind of the last error; never its text. */
  errorClass: string;
  attempts: number;
  failTime: Date;
  /** When it was last sent back, if it was and has not failed since. */
  redriveTime: Date | null;
  /** How often it was sent back. */
  redriveCount: number;
  /** Of the trace that the event belongs to; "" without one. */
  traceId: string;
}

export const deadLetterColumns = `dead_letter_id AS "deadLetterId", group_name AS "group", topic,
    partition_number AS "partition", record_offset AS "offset", letter_partition AS "letterPartition",
    letter_offset AS "letterOffset", key, event_id AS "eventId", type, reason, error_class AS "errorClass", attempts,
    fail_time AS "failTime", redrive_time AS "redriveTime", redrive_count AS "redriveCount",
    coalesce(substring(headers->>'traceparent' FROM '^[0-9a-f]{2}-([0-9a-f]{32})-'), '') AS "traceId"`;

const listing = statement(
  "dead-letter-list",
  `SELECT ${deadLetterColumns}, CASE WHEN $7 THEN payload END AS payload FROM dead_letter
   WHERE ($1::text IS NULL OR group_name = $1) AND ($2 OR redrive_time IS NULL)
     AND ($3::uuid[] IS NULL OR dead_letter_id = ANY ($3::uuid[]))
     AND ($4::text IS NULL OR type = $4) AND ($5::text IS NULL OR reason = $5)
     AND ($6::uuid IS NULL OR dead_letter_id < $6)
   ORDER BY dead_letter_id DESC LIMIT $8`,
);

/** Which dead letters; what is not given does not matter. */
export interface DeadLetterFilter {
  group?: string | undefined;
  deadLetterIds?: readonly string[] | undefined;
  type?: string | undefined;
  reason?: string | undefined;
}

export interface DeadLetterListing extends DeadLetterFilter {
  /** Those that were sent back, too. */
  includeRedriven?: boolean;
  /** Only those that were given up for the first time before this one was. */
  before?: string | undefined;
  /** 100 unless given. */
  limit?: number;
  /** With the event's own bytes, which hold what people wrote. */
  withPayload?: boolean;
  signal?: AbortSignal;
}

/** The dead letters, those that were given up last first. */
export function listDeadLetters(
  database: Database,
  { signal, ...listed }: DeadLetterListing = {},
): Promise<(DeadLetter & { payload: Uint8Array | null })[]> {
  const { group, deadLetterIds, type, reason, before, includeRedriven, withPayload, limit } = listed;
  const values = [
    group ?? null,
    includeRedriven ?? false,
    deadLetterIds ?? null,
    type ?? null,
    reason ?? null,
    before ?? null,
    withPayload ?? false,
    limit ?? 100,
  ];
  return database.query(listing, values, { signal });
}

const counting = statement(
  "dead-letter-count",
  "SELECT count(*)::int AS waiting FROM dead_letter WHERE group_name = $1 AND redrive_time IS NULL",
);

/** How many dead letters of a group have not been sent back. */
export async function countDeadLetters(database: Database, group: string): Promise<number> {
  const [row] = await database.query<{ waiting: number }>(counting, [group]);
  return row?.waiting ?? 0;
}
