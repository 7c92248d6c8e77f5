import { randomUUID } from "node:crypto";
import { plainHeaders, readMeta } from "./event.ts";
import { createKafka } from "./kafka-client.ts";

/** Groups of those who only look on: they commit nothing, and nobody waits for them. */
export const tailGroupPrefix = "taskmesh-tail-";

/** A record as somebody who looks on sees it. */
export interface TailedRecord {
  topic: string;
  partition: number;
  offset: string;
  /** When the broker had it. */
  time: Date;
  key: string;
  eventId: string;
  /** "task.v1.TaskCreated"; "" when it is no event of ours. */
  type: string;
  occurTime: Date;
  traceId: string | undefined;
  /** Empty for a record without a value. */
  value: Uint8Array;
}

export interface TailOptions {
  brokers: string[];
  topics: readonly string[];
  /** From when on; from now unless given. */
  since?: Date;
  signal: AbortSignal;
  /** Called once everything that is written from now on will be seen. */
  onFollowing?: () => void;
  see: (record: TailedRecord) => void;
}

/**
 * Shows the records of topics as they are written, in order within a partition, until the signal aborts. Commits nothing
 * and leaves nothing behind. Rejects when the broker is away or a topic is not known.
 */
export async function tailTopics({ brokers, topics, since, signal, onFollowing, see }: TailOptions): Promise<void> {
  const group = `${tailGroupPrefix}${randomUUID()}`;
  const kafka = createKafka({ brokers, clientId: "taskmesh-tail" });
  const admin = kafka.admin();
  const consumer = kafka.consumer({ groupId: group, sessionTimeout: 10_000, maxWaitTimeInMs: 500 });
  const ended = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => ended.resolve(), { once: true });
  consumer.on(consumer.events.CRASH, ({ payload }) => payload.restart || ended.reject(payload.error));
  // The offset that comes next, by place. Nothing is committed, so that every membership has to be told where to go on.
  const next = new Map<string, { topic: string; partition: number; offset: string }>();
  consumer.on(consumer.events.GROUP_JOIN, () => {
    for (const place of next.values()) consumer.seek(place);
    onFollowing?.();
  });
  try {
    await admin.connect();
    for (const place of (await Promise.all(topics.map((topic) => beginOf(topic, since)))).flat()) {
      next.set(`${place.topic}/${place.partition}`, place);
    }
    await consumer.connect();
    await consumer.subscribe({ topics: [...topics] });
    await consumer.run({
      autoCommit: false,
      eachMessage: async ({ topic, partition, message }) => {
        const place = `${topic}/${partition}`;
        // What was fetched before the place was sought comes again.
        if (signal.aborted || BigInt(message.offset) < BigInt(next.get(place)?.offset ?? 0)) return;
        next.set(place, { topic, partition, offset: String(BigInt(message.offset) + 1n) });
        const headers = plainHeaders(message.headers);
        const { key, eventId, type, occurTime } = readMeta(message, headers, { topic, partition, group });
        const time = new Date(Number(message.timestamp));
        const value = message.value ?? new Uint8Array();
        const traceId = /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(headers.traceparent ?? "")?.[1];
        see({ topic, partition, offset: message.offset, time, key, eventId, type, occurTime, traceId, value });
      },
    });
    if (signal.aborted) ended.resolve();
    await ended.promise;
  } finally {
    await consumer.disconnect().catch(() => {});
    await admin.deleteGroups([group]).catch(() => {});
    await admin.disconnect().catch(() => {});
  }

  async function beginOf(topic: string, from: Date | undefined) {
    const offsets =
      from === undefined
        ? await admin.fetchTopicOffsets(topic)
        : await admin.fetchTopicOffsetsByTimestamp(topic, from.getTime());
    return offsets.map(({ partition, offset }) => ({ topic, partition, offset }));
  }
}
