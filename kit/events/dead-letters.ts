import type { Database } from "#kit/db/database.ts";
import { statement } from "#kit/db/statement.ts";
import { newId } from "#kit/id.ts";
import { errorType } from "#observability/error-type.ts";
import { type Delivery, PermanentEventError } from "./chain.ts";
import { type Headers, retryHeaders } from "./event.ts";
import type { EventProducer } from "./producer.ts";
import { deadLetterTopic } from "./topics.ts";

// An event that was sent back and is given up again is a dead letter once more.
const bury = statement(
  "dead-letter-bury",
  `INSERT INTO dead_letter (dead_letter_id, group_name, topic, partition_number, record_offset, key, event_id, type,
     headers, payload, reason, error_class, attempts)
   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
   ON CONFLICT (group_name, topic, partition_number, record_offset) DO UPDATE
     SET reason = excluded.reason, error_class = excluded.error_class, attempts = excluded.attempts,
       fail_time = now(), redrive_time = NULL
   RETURNING dead_letter_id AS "deadLetterId"`,
);

const place = statement(
  "dead-letter-place",
  "UPDATE dead_letter SET letter_partition = $2, letter_offset = $3 WHERE dead_letter_id = $1",
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
    const [row] = await database.query<{ deadLetterId: string }>(bury, [
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
    const [record] = await producer.send([
      {
        topic: deadLetterTopic(group),
        key: meta.key,
        value,
        headers: { ...kept, ...retryHeaders({ topic, partition, offset, attempt, dueTime: 0 }), ...told },
      },
    ]);
    await database.query(place, [row?.deadLetterId, record?.partition, String(record?.baseOffset)]);
  }
}

function withoutRetryState(headers: Headers): Headers {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith("mesh_")));
}
