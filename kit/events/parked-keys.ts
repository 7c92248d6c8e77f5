import type { Database } from "#kit/db/database.ts";
import { statement } from "#kit/db/statement.ts";
import type { Delivery } from "./chain.ts";
import { type EventMeta, retryHeaders } from "./event.ts";
import type { EventProducer } from "./producer.ts";
import type { RetryStage } from "./topics.ts";

interface Place {
  stage: number;
  due_time: Date;
}

const load = statement(
  "parked-load",
  "SELECT DISTINCT key FROM parked_key WHERE group_name = $1 AND topic = $2 AND partition_number = $3",
);

// The event right in front. If it is said to wait in the topic that this one was just read from, and got there first,
// then its record has been read before and is gone: a left-over row, which must not hold up the key.
const findAhead = statement(
  "parked-ahead",
  `WITH own AS (
     SELECT position, move_time FROM parked_key
     WHERE group_name = $1 AND topic = $2 AND key = $3 AND event_id = $4::uuid
   ), ahead AS (
     SELECT * FROM parked_key
     WHERE group_name = $1 AND topic = $2 AND key = $3 AND event_id <> $4::uuid
       AND position < coalesce((SELECT position FROM own), 9223372036854775807)
     ORDER BY position DESC LIMIT 1
   )
   SELECT stage, due_time, position,
     coalesce(stage = $5::int AND move_time <= (SELECT move_time FROM own), false) AS stale
   FROM ahead`,
  { operation: "SELECT", collection: "parked_key" },
);

const put = statement(
  "parked-put",
  `INSERT INTO parked_key (group_name, topic, partition_number, key, event_id, stage, due_time)
   VALUES ($1, $2, $3, $4, $5, $6, coalesce($7::timestamptz, clock_timestamp() + $8::float8 * interval '1 ms'))
   ON CONFLICT (group_name, topic, key, event_id) DO UPDATE
     SET stage = excluded.stage, due_time = excluded.due_time, move_time = clock_timestamp()
   RETURNING stage, due_time`,
);

const drop = statement(
  "parked-drop",
  "DELETE FROM parked_key WHERE group_name = $1 AND topic = $2 AND key = $3 AND event_id = $4",
);
const dropStale = statement("parked-drop-stale", "DELETE FROM parked_key WHERE position = $1");

export interface ParkedKeysOptions {
  group: string;
  database: Database;
  producer: EventProducer;
  stages: RetryStage[];
}

/**
 * The keys of which an event waits in a retry topic. Later events of such a key go behind it, from topic to topic, so
 * that the key keeps its order while other keys flow.
 */
export class ParkedKeys {
  readonly stages: RetryStage[];
  readonly #options: ParkedKeysOptions;
  // Only the consumer of a partition parks its keys, so what it has seen since it got the partition is the whole truth.
  readonly #known = new Map<string, Promise<Set<string>>>();

  constructor(options: ParkedKeysOptions) {
    this.#options = options;
    this.stages = options.stages;
  }

  /** To be called whenever partitions are assigned: another consumer may have parked keys meanwhile. */
  forget(): void {
    this.#known.clear();
  }

  /** Whether events of this key wait somewhere, as far as the partition's own consumer knows. */
  async isParked(meta: EventMeta): Promise<boolean> {
    return (await this.#keysOf(meta)).has(meta.key);
  }

  /** Where the event in front of this one waits, if there is one. */
  async ahead(delivery: Delivery): Promise<Place | undefined> {
    const { meta, stage } = delivery;
    const keys = await this.#keysOf(meta);
    if (stage === undefined && !keys.has(meta.key)) return undefined;
    for (;;) {
      const [found] = await this.#options.database.query<Place & { position: bigint; stale: boolean }>(findAhead, [
        ...this.#address(meta),
        stage ?? null,
      ]);
      if (found === undefined && stage === undefined) keys.delete(meta.key);
      if (!found?.stale) return found;
      await this.#options.database.query(dropStale, [String(found.position)]);
    }
  }

  /** Puts an event behind the one in front of it; that is no try of its own. */
  async follow(delivery: Delivery, { stage, due_time }: Place): Promise<void> {
    await this.#park(delivery, { stage, dueTime: due_time, attempt: delivery.meta.attempt - 1 });
  }

  /** Puts an event that failed into its next retry topic. Answers false when there is none left. */
  async retry(delivery: Delivery): Promise<boolean> {
    const stage = delivery.meta.attempt - 1;
    if (this.stages[stage] === undefined) return false;
    await this.#park(delivery, { stage, dueTime: undefined, attempt: delivery.meta.attempt });
    return true;
  }

  /** The event has been handled or given up: what waits behind it may go on. */
  async release({ meta, stage }: Delivery): Promise<void> {
    const mayBeParked = stage !== undefined || (await this.isParked(meta));
    if (mayBeParked) await this.#options.database.query(drop, this.#address(meta));
  }

  /** The row first: a record without a row could be overtaken, a row without a record is found to be stale. */
  async #park({ meta, value, headers }: Delivery, to: { stage: number; dueTime: Date | undefined; attempt: number }) {
    const { database, producer, group } = this.#options;
    const { topic, delayMs } = this.stages[to.stage] as RetryStage;
    (await this.#keysOf(meta)).add(meta.key);
    const [place] = await database.query<Place>(put, [
      group,
      meta.topic,
      meta.partition,
      meta.key,
      meta.eventId,
      to.stage,
      to.dueTime ?? null,
      delayMs,
    ]);
    const state = {
      attempt: to.attempt,
      topic: meta.topic,
      partition: meta.partition,
      offset: meta.offset,
      dueTime: place?.due_time.getTime() ?? 0,
    };
    await producer.send([{ topic, key: meta.key, value, headers: { ...headers, ...retryHeaders(state) } }]);
  }

  #address(meta: EventMeta): unknown[] {
    return [this.#options.group, meta.topic, meta.key, meta.eventId];
  }

  async #keysOf({ topic, partition }: EventMeta): Promise<Set<string>> {
    const { database, group } = this.#options;
    const place = `${topic}/${partition}`;
    let keys = this.#known.get(place);
    if (keys === undefined) {
      keys = database
        .query<{ key: string }>(load, [group, topic, partition])
        .then((rows) => new Set(rows.map(({ key }) => key)));
      this.#known.set(place, keys);
      keys.catch(() => this.#known.delete(place));
    }
    return keys;
  }
}
