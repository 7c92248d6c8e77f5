import type { EachBatchPayload, KafkaMessage } from "kafkajs";
import { errorType } from "#observability/error-type.ts";
import { logger } from "#observability/logger.ts";
import { upDownCounter } from "#observability/metrics.ts";
import { extractContext, linksTo, ROOT_CONTEXT, type Span, SpanKind, startSpan } from "#observability/tracing.ts";
import type { Delivery, Step } from "./chain.ts";
import { plainHeaders, readMeta, readRetryState } from "./event.ts";
import type { PartitionLags } from "./partition-lags.ts";
import type { Together } from "./together.ts";

const log = logger("consumer");
const inFlight = upDownCounter("taskmesh.consumer.in_flight");

export interface BatchOptions {
  group: string;
  step: Step;
  /** How several events share a transaction, if they may. */
  together?: Together | undefined;
  /** The retry topics of the group in their order. */
  retryTopics: readonly string[];
  heartbeatMs: number;
  lags: PartitionLags;
  /** Aborted when the time for finishing is over. */
  signal: AbortSignal;
  /** Whether the partitions are about to go elsewhere, or the consumer stops: finish the event, then leave off. */
  leaveOff(): boolean;
}

// The client fetches again only when all partitions of a fetch are through, so none may take the others' time.
const budgetMs = 1000;
const firstPauseMs = 250;
const longestPauseMs = 5000;

/** Runs the events of one partition through the chain, in their order. */
export class BatchRunner {
  readonly #options: BatchOptions;
  readonly #labels: { "messaging.consumer.group.name": string };
  readonly #stumbles = new Map<string, number>();

  constructor(options: BatchOptions) {
    this.#options = options;
    this.#labels = { "messaging.consumer.group.name": options.group };
  }

  /** Takes events until the batch or the time is up; what is left over is fetched again. */
  async run(payload: EachBatchPayload): Promise<void> {
    const { batch, heartbeat, isRunning, isStale, commitOffsetsIfNecessary } = payload;
    const fetchTime = new Date();
    const end = performance.now() + budgetMs;
    const receive = startReceive(batch);
    const range = { first: Number(batch.messages[0]?.offset ?? batch.highWatermark), end: Number(batch.highWatermark) };
    this.#options.lags.fetched(batch.topic, batch.partition, range);
    const beats = new Heartbeats(heartbeat, this.#options.heartbeatMs);
    const mayGoOn = () => isRunning() && !isStale() && !beats.failed && !this.#options.leaveOff();
    try {
      const queue = batch.messages.map((message) => this.#toDelivery(payload, message, fetchTime));
      while (queue.length > 0 && mayGoOn() && performance.now() < end) {
        const taken = (await this.#options.together?.take(queue)) ?? queue.splice(0, 1);
        inFlight.add(taken.length, this.#labels);
        const isThrough = await this.#handleAll(payload, taken, mayGoOn).finally(() =>
          inFlight.add(-taken.length, this.#labels),
        );
        if (!isThrough) break;
        await commitOffsetsIfNecessary();
      }
    } finally {
      receive?.end();
      await beats.stop();
    }
    beats.throwIfFailed();
  }

  async #handleAll(payload: EachBatchPayload, taken: Delivery[], mayGoOn: () => boolean): Promise<boolean> {
    const last = taken.at(-1);
    if (last !== undefined && (await this.#options.together?.run(taken))) {
      this.#resolve(payload, last);
      return true;
    }
    for (const delivery of taken) {
      if (!mayGoOn() || !(await this.#handle(payload, delivery))) return false;
      this.#resolve(payload, delivery);
    }
    return true;
  }

  #resolve({ batch, resolveOffset }: EachBatchPayload, { recordOffset }: Delivery): void {
    resolveOffset(recordOffset);
    this.#options.lags.handled(batch.topic, batch.partition, Number(recordOffset));
  }

  /** Answers false when the partition has to wait: its event is not due, or the way is blocked. */
  async #handle(payload: EachBatchPayload, delivery: Delivery): Promise<boolean> {
    const { topic, partition } = payload.batch;
    const place = `${topic}/${partition}`;
    const due = readRetryState(delivery.headers)?.dueTime ?? 0;
    if (due > Date.now()) {
      pauseFor(payload, due - Date.now());
      return false;
    }
    try {
      await this.#options.step(delivery);
      this.#stumbles.delete(place);
      return true;
    } catch (error) {
      const stumbles = this.#stumbles.get(place) ?? 0;
      this.#stumbles.set(place, stumbles + 1);
      log.warn({ group: this.#options.group, topic, partition, errorClass: errorType(error) }, "a partition waits");
      pauseFor(payload, Math.min(firstPauseMs * 2 ** stumbles, longestPauseMs));
      return false;
    }
  }

  #toDelivery({ batch }: EachBatchPayload, message: KafkaMessage, fetchTime: Date): Delivery {
    const { group, retryTopics, signal } = this.#options;
    const { topic, partition } = batch;
    const headers = plainHeaders(message.headers);
    const stage = retryTopics.indexOf(topic);
    return {
      meta: readMeta(message, headers, { topic, partition, group }),
      value: message.value ?? new Uint8Array(),
      headers,
      stage: stage === -1 ? undefined : stage,
      recordOffset: message.offset,
      recordTime: new Date(Number(message.timestamp)),
      fetchTime,
      signal,
    };
  }
}

/** Several events that came together belong to several traces: their common span is in none of them and links to all. */
function startReceive({ topic, messages }: EachBatchPayload["batch"]): Span | undefined {
  if (messages.length < 2) return undefined;
  const attributes = { "messaging.system": "kafka", "messaging.batch.message_count": messages.length };
  const span = startSpan(`receive ${topic}`, { kind: SpanKind.CLIENT, attributes }, ROOT_CONTEXT);
  if (!span.isRecording()) return undefined;
  const links = messages.flatMap(({ headers }) => linksTo(extractContext(plainHeaders(headers))));
  return links.length < 2 ? undefined : span.addLinks(links);
}

/** Other partitions go on; after the time this one is fetched again from the event that was not resolved. */
function pauseFor({ pause }: EachBatchPayload, ms: number): void {
  setTimeout(pause(), ms).unref();
}

/** Keeps the membership alive while a handler takes its time, and notices when the group is about to rebalance. */
class Heartbeats {
  readonly #timer: NodeJS.Timeout;
  #error: unknown;
  #beat: Promise<void> = Promise.resolve();

  constructor(heartbeat: () => Promise<void>, everyMs: number) {
    this.#timer = setInterval(() => {
      this.#beat = heartbeat().catch((error: unknown) => {
        this.#error = error;
      });
    }, everyMs);
  }

  get failed(): boolean {
    return this.#error !== undefined;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#beat;
  }

  throwIfFailed(): void {
    if (this.#error !== undefined) throw this.#error;
  }
}
