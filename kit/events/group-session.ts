import { setTimeout as delay } from "node:timers/promises";
import type { Consumer as KafkaConsumer } from "kafkajs";
import { errorType } from "#observability/error-type.ts";
import { logger } from "#observability/logger.ts";
import { subscribedRoundRobin } from "./assigner.ts";
import { BatchRunner } from "./batch.ts";
import type { Step } from "./chain.ts";
import { createKafka } from "./kafka-client.ts";
import { PartitionLags } from "./partition-lags.ts";
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

/** A fetch waits for half a second, and a batch takes a second and one event's time at most. */
const stuckMs = 30_000;

export type Assignment = Readonly<Record<string, number[]>>;

/** One membership in the group: from joining until it stops, crashes or falls silent. A new one takes its place then. */
export class GroupSession {
  readonly #options: GroupSessionOptions;
  readonly #consumer: KafkaConsumer;
  readonly #runner: BatchRunner;
  readonly #lags: PartitionLags;
  readonly #joined = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<string>();
  #assignment: Assignment = {};
  #lastBeat = performance.now();
  #lastMove = performance.now();
  #isMember = false;
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
    this.#lags = new PartitionLags(group);
    this.#runner = new BatchRunner({ ...options, heartbeatMs, leaveOff, lags: this.#lags });
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

  /** Whether it has partitions, heard from the broker lately, and goes on with what it fetches. */
  get healthy(): boolean {
    const now = performance.now();
    const moves = Object.keys(this.#assignment).length === 0 || now - this.#lastMove < stuckMs;
    return this.#isMember && moves && now - this.#lastBeat < this.#options.sessionTimeoutMs / 2;
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
      this.#lags.close();
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
      this.#move();
      this.#isMember = true;
      this.#rebalancing = false;
      this.#assignment = payload.memberAssignment;
      this.#lags.assigned(payload.memberAssignment);
      this.#options.onAssigned();
      this.#joined.resolve();
    });
    this.#consumer.on(events.HEARTBEAT, () => this.#beat());
    this.#consumer.on(events.FETCH, () => this.#move());
    this.#consumer.on(events.END_BATCH_PROCESS, () => this.#move());
    this.#consumer.on(events.REBALANCING, () => {
      this.#rebalancing = true;
    });
    this.#consumer.on(events.CRASH, ({ payload }) => {
      log.warn({ group: this.#options.group, errorClass: errorType(payload.error) }, "the consumer crashed");
      this.#isMember = false;
      this.#ended.resolve("crashed");
    });
  }

  #beat(): void {
    this.#lastBeat = performance.now();
  }

  #move(): void {
    this.#lastMove = performance.now();
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
