import { setTimeout as delay } from "node:timers/promises";
import type { Consumer as KafkaConsumer } from "kafkajs";
import { errorType } from "#observability/error-type.ts";
import { logger } from "#observability/logger.ts";
import { subscribedRoundRobin } from "./assigner.ts";
import { BatchRunner } from "./batch.ts";
import type { Step } from "./chain.ts";
import { createKafka } from "./kafka-client.ts";
import type { Together } from "./together.ts";

const log = logger("consumer");

export interface GroupSessionOptions {
  group: string;
  brokers: string[];
  clientId: string;
  topics: readonly string[];
  retryTopics: readonly string[];
  step: Step;
  together?: Together | undefined;
  partitionsConsumedConcurrently: number;
  sessionTimeoutMs: number;
  signal: AbortSignal;
  onAssigned(): void;
}

export type Assignment = Readonly<Record<string, number[]>>;

/** One membership in the group: from joining until it stops, crashes or falls silent. A new one takes its place then. */
export class GroupSession {
  readonly #options: GroupSessionOptions;
  readonly #consumer: KafkaConsumer;
  readonly #runner: BatchRunner;
  readonly #joined = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<string>();
  #assignment: Assignment = {};
  #lastBeat = performance.now();
  #rebalancing = false;
  #stopping = false;

  constructor(options: GroupSessionOptions) {
    this.#options = options;
    const { group, sessionTimeoutMs } = options;
    const heartbeatMs = Math.min(1000, sessionTimeoutMs / 4);
    this.#consumer = createKafka({ ...options }).consumer({
      groupId: group,
      partitionAssigners: [subscribedRoundRobin],
      sessionTimeout: sessionTimeoutMs,
      rebalanceTimeout: sessionTimeoutMs,
      heartbeatInterval: heartbeatMs,
      maxWaitTimeInMs: 500,
      maxBytesPerPartition: 262_144,
      allowAutoTopicCreation: false,
      // Whoever watches over the session makes a new one; the client's own restart has been seen to hang.
      retry: { retries: 3, restartOnFailure: async () => false },
    });
    const leaveOff = () => this.#stopping || this.#rebalancing;
    this.#runner = new BatchRunner({ ...options, heartbeatMs, leaveOff });
    this.#joined.promise.catch(() => {});
    this.#observe();
  }

  get assignment(): Assignment {
    return this.#assignment;
  }

  /** Resolves with the first assignment, which may be empty. */
  get joined(): Promise<void> {
    return this.#joined.promise;
  }

  /** Whether the broker has heard of this member within its time. */
  get alive(): boolean {
    return performance.now() - this.#lastBeat < 2 * this.#options.sessionTimeoutMs;
  }

  /** Joins and consumes; answers why it ended. */
  async run(): Promise<string> {
    const { topics, retryTopics, partitionsConsumedConcurrently } = this.#options;
    const watchdog = setInterval(() => this.alive || this.#ended.resolve("stalled"), 1000);
    try {
      await this.#consumer.connect();
      await this.#consumer.subscribe({ topics: [...topics, ...retryTopics], fromBeginning: true });
      await this.#consumer.run({
        autoCommit: true,
        autoCommitInterval: 500,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently,
        eachBatch: (payload) => this.#runner.run(payload),
      });
      return await this.#ended.promise;
    } finally {
      clearInterval(watchdog);
      this.#assignment = {};
      await this.#leave();
    }
  }

  /** Finishes the events under way, commits and leaves the group. */
  stop(): void {
    this.#stopping = true;
    this.#ended.resolve("stopped");
  }

  #observe(): void {
    const { events } = this.#consumer;
    this.#consumer.on(events.GROUP_JOIN, ({ payload }) => {
      this.#beat();
      this.#rebalancing = false;
      this.#assignment = payload.memberAssignment;
      this.#options.onAssigned();
      this.#joined.resolve();
    });
    this.#consumer.on(events.HEARTBEAT, () => this.#beat());
    this.#consumer.on(events.REBALANCING, () => {
      this.#rebalancing = true;
    });
    this.#consumer.on(events.CRASH, ({ payload }) => {
      log.warn({ group: this.#options.group, errorClass: errorType(payload.error) }, "the consumer crashed");
      this.#ended.resolve("crashed");
    });
  }

  #beat(): void {
    this.#lastBeat = performance.now();
  }

  /** A client that hangs must not keep its successor from starting: the broker frees its partitions by the time-out. */
  async #leave(): Promise<void> {
    this.#stopping = true;
    await Promise.race([
      this.#consumer.disconnect().catch(() => {}),
      delay(this.#options.sessionTimeoutMs, undefined, { ref: false }),
    ]);
  }
}
