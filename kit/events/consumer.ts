import { setTimeout as delay } from "node:timers/promises";
import type { Database } from "#kit/db/database.ts";
import type { Lifecycle } from "#kit/lifecycle.ts";
import { errorType } from "#observability/error-type.ts";
import { logger } from "#observability/logger.ts";
import {
  type ChainContext,
  type ConsumerMiddleware,
  compose,
  type EventHandler,
  type Preparation,
  type Step,
} from "./chain.ts";
import { watchDeadLetters } from "./dead-letter-gauge.ts";
import { DeadLetters } from "./dead-letters.ts";
import { type Assignment, GroupSession } from "./group-session.ts";
import { purgeInbox } from "./inbox-purge.ts";
import { defaultChain } from "./middleware/index.ts";
import { ParkedKeys } from "./parked-keys.ts";
import { type EventProducer, openProducer } from "./producer.ts";
import { Together } from "./together.ts";
import { deadLetterTopic, defaultPartitions, ensureTopics, retryStages } from "./topics.ts";

export {
  type ConsumerMiddleware,
  type EventHandler,
  type IncomingEvent,
  PermanentEventError,
  type Preparation,
} from "./chain.ts";
export { consumerMigration } from "./consumer-schema.ts";
export type { EventMeta } from "./event.ts";

const log = logger("consumer");

export interface ConsumerOptions<P = unknown> {
  /** The consumer group, named as its folder: "notification". */
  group: string;
  topics: string[];
  brokers: string[];
  /** Where the effects and the inbox are; it has run `consumerMigration`. */
  database: Database;
  handle: EventHandler<P>;
  /** What has to be done before the transaction that the handler runs in. */
  preparation?: Preparation<P>;
  lifecycle: Lifecycle;
  /** The middlewares around the handler, the outermost first. */
  chain?: readonly ConsumerMiddleware[];
  partitionsConsumedConcurrently?: number;
  /**
   * How many events of a partition may share a transaction (with the default chain; 1 unless given). Many times faster
   * for handlers whose whole effect is in the database; when one event fails, the handlers of the others run again.
   */
  eventsPerTransaction?: number;
  /** Partitions of topics that are made. */
  partitions?: number;
  /** The waits of the retry topics in place of 1 s, 10 s, 60 s and 10 min, in milliseconds. */
  retryDelaysMs?: readonly number[];
  /** How long one try of an event may take, in milliseconds. */
  timeoutMs?: number;
  /** After how long without a sign of life a member loses its partitions, in milliseconds; brokers allow 6,000 or more unless told otherwise. */
  sessionTimeoutMs?: number;
  traceMode?: "child" | "link";
  clientId?: string;
  /** How long to wait for the first assignment, in milliseconds. */
  startTimeoutMs?: number;
}

export interface Consumer {
  readonly group: string;
  /** Whether it is a member of its group, the broker hears of it, and it goes on with what it fetches. */
  readonly healthy: boolean;
  /** The partitions that are its own at the moment. */
  readonly assignment: Assignment;
  stop(): Promise<void>;
}

const drainMs = 8000;
const purgeMs = 600_000;

/**
 * Joins a group and runs its events through the chain, each key in order, each event with one effect. Answers when the
 * first partitions are assigned; from then on it comes back by itself whatever happens to Kafka. Stops with the drain.
 */
export async function startConsumer<P = unknown>(options: ConsumerOptions<P>): Promise<Consumer> {
  const { group, brokers, lifecycle, startTimeoutMs = 30_000 } = options;
  const producer = openProducer({ brokers, clientId: options.clientId ?? group, lifecycle, topics: [] });
  const consumer = new GroupConsumer(options as ConsumerOptions, producer);
  lifecycle.onDrain(`consumer ${group}`, () => consumer.stop());
  consumer.start();
  const outcome = await Promise.race([consumer.started, delay(startTimeoutMs, "late" as const, { ref: false })]);
  if (outcome === "late") {
    await consumer.stop();
    throw new Error(`Kafka at ${brokers.join(",")} does not let the group ${group} in: ${consumer.lastFault}`);
  }
  return consumer;
}

class GroupConsumer implements Consumer {
  readonly group: string;
  readonly #options: ConsumerOptions;
  readonly #parkedKeys: ParkedKeys;
  readonly #step: Step;
  readonly #together: Together | undefined;
  readonly #abort = new AbortController();
  readonly #stopped = new AbortController();
  readonly #started = Promise.withResolvers<void>();
  #session: GroupSession | undefined;
  #running: Promise<unknown> = Promise.resolve();
  lastFault = "no answer";

  constructor(options: ConsumerOptions, producer: EventProducer) {
    const { group, database, handle, preparation, retryDelaysMs, timeoutMs = 10_000, traceMode = "child" } = options;
    this.group = group;
    this.#options = options;
    const stages = retryStages(group, retryDelaysMs);
    this.#parkedKeys = new ParkedKeys({ group, database, producer, stages });
    const deadLetters = new DeadLetters({ group, database, producer });
    const context: ChainContext = {
      group,
      database,
      parkedKeys: this.#parkedKeys,
      deadLetters,
      timeoutMs,
      traceMode,
      preparation,
    };
    const { chain = defaultChain, eventsPerTransaction = 1 } = options;
    this.#step = compose(chain, handle, context);
    const mayShare = chain === defaultChain && eventsPerTransaction > 1;
    this.#together = mayShare ? new Together(handle, context, eventsPerTransaction) : undefined;
  }

  get started(): Promise<void> {
    return this.#started.promise;
  }

  get healthy(): boolean {
    return this.#session?.healthy ?? false;
  }

  get assignment(): Assignment {
    return this.#session?.assignment ?? {};
  }

  start(): void {
    const { database, group } = this.#options;
    const purge = setInterval(() => purgeInbox(database), purgeMs);
    const unwatch = watchDeadLetters(database, group);
    this.#running = this.#run().finally(() => {
      clearInterval(purge);
      unwatch();
    });
  }

  async stop(): Promise<void> {
    const timer = setTimeout(() => this.#abort.abort(new Error("the consumer stops")), drainMs);
    this.#stopped.abort();
    this.#session?.stop();
    await this.#running;
    clearTimeout(timer);
  }

  /** One session after the other, with a growing wait in between while they fail. */
  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    for (let failures = 0; !signal.aborted; ) {
      const started = performance.now();
      const end = await this.#runSession().catch((error: unknown) => {
        this.lastFault = (error as { type?: string }).type ?? errorType(error);
        return `failed: ${this.lastFault}`;
      });
      this.#session = undefined;
      if (signal.aborted) return;
      failures = performance.now() - started > 30_000 ? 0 : failures + 1;
      log.warn({ group: this.group, end }, "the consumer starts over");
      await delay(Math.min(100 * 2 ** failures, 5000), undefined, { signal }).catch(() => {});
    }
  }

  async #runSession(): Promise<string> {
    const { group, topics, brokers, partitions = defaultPartitions, sessionTimeoutMs = 10_000 } = this.#options;
    const retryTopics = this.#parkedKeys.stages.map(({ topic }) => topic);
    await ensureTopics({ brokers, topics: [...topics, ...retryTopics, deadLetterTopic(group)], partitions });
    if (this.#stopped.signal.aborted) return "stopped";
    const session = new GroupSession({
      group,
      topics,
      retryTopics,
      brokers,
      clientId: this.#options.clientId ?? group,
      step: this.#step,
      together: this.#together,
      partitionsConsumedConcurrently: this.#options.partitionsConsumedConcurrently ?? 6,
      sessionTimeoutMs,
      signal: this.#abort.signal,
      onAssigned: () => this.#parkedKeys.forget(),
    });
    this.#session = session;
    session.joined.then(() => this.#started.resolve());
    return session.run();
  }
}
