import { setTimeout as delay } from "node:timers/promises";
import { CompressionTypes, type Kafka, Partitioners, type Producer, type RecordMetadata } from "kafkajs";
import type { Lifecycle } from "#kit/lifecycle.ts";
import { createKafka } from "./kafka-client.ts";
import { defaultPartitions, topics as domainTopics, ensureTopics } from "./topics.ts";

export interface OutgoingRecord {
  topic: string;
  key: string;
  value: Uint8Array | null;
  headers: Record<string, string>;
}

/** A record that the broker has, in the order of partitions. */
export interface Acknowledgement {
  topic: string;
  partition: number;
  baseOffset: bigint;
}

export interface EventProducer {
  /**
   * Writes the records in their order and answers when the broker has all of them. One call at a time is under way,
   * so that order holds. When it fails, some may have been written: send all of them again.
   */
  send(records: OutgoingRecord[]): Promise<Acknowledgement[]>;
  close(): Promise<void>;
}

export interface ProducerOptions {
  brokers: string[];
  clientId: string;
  lifecycle: Lifecycle;
  /** Made before the first record is sent. All topics of the services unless given. */
  topics?: readonly string[];
  partitions?: number;
}

/** The broker acknowledged what cannot be: the same place twice, or one before what it had acknowledged. */
export class OffsetOrderError extends Error {
  override readonly name = "OffsetOrderError";
}

/** An idempotent producer that waits for all replicas. It connects with the first record, and anew after a failure. */
export function openProducer(options: ProducerOptions): EventProducer {
  const producer = new KafkaProducer(options);
  return options.lifecycle.use("kafka producer", producer, () => producer.close());
}

// Longer than all tries of one request of the client together; after that the connection is given up.
const sendTimeoutMs = 20_000;

class KafkaProducer implements EventProducer {
  readonly #options: ProducerOptions;
  readonly #kafka: Kafka;
  #connected: Promise<Producer> | undefined;
  #last = new Map<string, bigint>();
  #queue: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(options: ProducerOptions) {
    this.#options = options;
    this.#kafka = createKafka(options);
  }

  send(records: OutgoingRecord[]): Promise<Acknowledgement[]> {
    const sent = this.#queue.then(() => this.#send(records));
    this.#queue = sent.catch(() => {});
    return sent;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#queue;
    await this.#reset();
  }

  async #send(records: OutgoingRecord[]): Promise<Acknowledgement[]> {
    if (this.#closed) throw new Error("the producer is closed");
    try {
      this.#connected ??= this.#connect();
      const producer = await this.#connected;
      const answers = await inTime(
        producer.sendBatch({ acks: -1, compression: CompressionTypes.None, topicMessages: byTopic(records) }),
      );
      return this.#checked(answers);
    } catch (error) {
      await this.#reset();
      throw error;
    }
  }

  async #connect(): Promise<Producer> {
    const { brokers, topics = Object.values(domainTopics), partitions = defaultPartitions } = this.#options;
    await ensureTopics({ brokers, topics, partitions });
    const producer = this.#kafka.producer({
      idempotent: true,
      // kafkajs counts sequences by request, so a second one in flight could be written before a failed first.
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: Partitioners.DefaultPartitioner,
      retry: { retries: 3 },
    });
    await producer.connect();
    return producer;
  }

  #checked(answers: RecordMetadata[]): Acknowledgement[] {
    return answers.map(({ topicName, partition, errorCode, baseOffset }) => {
      const offset = BigInt(baseOffset ?? -1);
      const place = `${topicName}/${partition}`;
      const before = this.#last.get(place);
      if (errorCode !== 0 || offset < 0n || (before !== undefined && offset <= before)) {
        throw new OffsetOrderError(`${place} acknowledged offset ${offset} after ${before} (code ${errorCode})`);
      }
      this.#last.set(place, offset);
      return { topic: topicName, partition, baseOffset: offset };
    });
  }

  /** Gives the connection up; the next record gets a new one, with a new producer id. */
  async #reset(): Promise<void> {
    const connected = this.#connected;
    this.#connected = undefined;
    this.#last.clear();
    const producer = await connected?.catch(() => undefined);
    await Promise.race([producer?.disconnect().catch(() => {}), delay(2000, undefined, { ref: false })]);
  }
}

function byTopic(records: OutgoingRecord[]) {
  const grouped = Map.groupBy(records, ({ topic }) => topic);
  return [...grouped].map(([topic, group]) => ({
    topic,
    messages: group.map(({ key, value, headers }) => ({
      key,
      value: value && Buffer.from(value.buffer, value.byteOffset, value.byteLength),
      headers,
    })),
  }));
}

async function inTime<T>(sending: Promise<T>): Promise<T> {
  const timer = new AbortController();
  const tooLong = delay(sendTimeoutMs, undefined, { signal: timer.signal, ref: false }).then(() => {
    throw new Error(`the broker did not answer within ${sendTimeoutMs} ms`);
  });
  tooLong.catch(() => {});
  try {
    return await Promise.race([sending, tooLong]);
  } finally {
    timer.abort();
    sending.catch(() => {});
  }
}
