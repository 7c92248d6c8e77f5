import { type Clock, systemClock } from "#kit/clock.ts";
import type { Database } from "#kit/db/database.ts";
import { DedicatedConnection } from "#kit/db/dedicated.ts";
import { maintainPartitions, type PartitionedTable } from "#kit/db/partitions.ts";
import { statement } from "#kit/db/statement.ts";
import type { Lifecycle } from "#kit/lifecycle.ts";
import { WakeUp } from "#kit/wake-up.ts";
import { logger } from "#observability/logger.ts";
import type { EventProducer } from "./producer.ts";
import { LeadershipLostError, type OutboxRow, RelayCursor } from "./relay-cursor.ts";
import { RelayReport } from "./relay-metrics.ts";
import { maintainOutbox } from "./relay-partitions.ts";
import { traceBatch } from "./relay-spans.ts";

const log = logger("relay");

export interface RelayOptions {
  /** Whose outbox. */
  database: Database;
  /** The service: ce_source of its events, and which cursor is moved. */
  source: string;
  producer: EventProducer;
  lifecycle: Lifecycle;
  clock?: Clock;
  /** At most so many events in one request. */
  batchSize?: number;
  /** How long events gather before the next batch while they keep coming, in milliseconds. */
  coalesceMs?: number;
  /** How often to look without being notified, in milliseconds. */
  pollMs?: number;
  /** How long sent events stay in the database, in hours. */
  keepHours?: number;
  /** The service's own tables whose partitions the active relay looks after as well. */
  partitioned?: readonly PartitionedTable[];
  /** After how long without a sign of life the leader is replaced, in milliseconds. */
  frozenMs?: number;
}

export interface Relay {
  /** Whether this instance is the one that sends. */
  readonly active: boolean;
  stop(): Promise<void>;
}

const standbyMs = 500;
// A batch under way when the relay stops may take so long; after that another instance sends it.
const stopMs = 3000;
const maintenanceMs = 600_000;
// After this long without an event the relay asks to be notified instead of looking every coalesceMs.
const awakeMs = 500;

/**
 * Sends a service's outbox to Kafka. Every instance of the service runs one; one of them is active at a time, and
 * another takes over within a second of its end. Sends each event at least once, in the order of (xid, seq), and never
 * one that did not commit. While Kafka is away it keeps trying, and the events wait.
 */
export function startRelay(options: RelayOptions): Relay {
  const relay = new OutboxRelay(options);
  options.lifecycle.use("relay", relay, () => relay.stop());
  relay.start();
  return relay;
}

const defaults = {
  clock: systemClock,
  batchSize: 500,
  coalesceMs: 20,
  pollMs: 1000,
  keepHours: 24,
  partitioned: [],
  frozenMs: 10_000,
};

const oldestUnsent = statement(
  "relay-lag",
  `SELECT extract(epoch FROM clock_timestamp() - insert_time)::float8 AS age FROM outbox_event
   WHERE (xid, seq) > ($1::xid8, $2::bigint) ORDER BY xid, seq LIMIT 1`,
);

class OutboxRelay implements Relay {
  readonly #options: Required<RelayOptions>;
  readonly #report: RelayReport;
  readonly #wake = new WakeUp();
  readonly #outOfTime = Promise.withResolvers<never>();
  #running: Promise<void> = Promise.resolve();
  #stopping = false;
  #active = false;

  constructor(options: RelayOptions) {
    this.#options = { ...defaults, ...options };
    this.#report = new RelayReport(options.source);
  }

  get active(): boolean {
    return this.#active;
  }

  start(): void {
    this.#outOfTime.promise.catch(() => {});
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#wake.notify();
    const timer = setTimeout(() => this.#outOfTime.reject(new Error("the relay stops")), stopMs);
    await this.#running;
    clearTimeout(timer);
  }

  async #run(): Promise<void> {
    let faults = 0;
    while (!this.#stopping) {
      const begin = performance.now();
      try {
        await this.#connected();
      } catch (error) {
        if (!this.#stopping) log.warn({ error }, "the relay starts over");
      }
      // One that fails at once, again and again, leaves the database alone for ever longer.
      faults = performance.now() - begin < standbyMs ? faults + 1 : 0;
      const end = performance.now() + Math.min(100 * 2 ** faults, 2_000);
      while (!this.#stopping && performance.now() < end) await this.#wake.wait(end - performance.now());
    }
  }

  async #connected(): Promise<void> {
    const { database, source, frozenMs } = this.#options;
    const connection = await DedicatedConnection.open({
      url: database.directUrl,
      applicationName: `${database.applicationName} relay`,
    });
    connection.lost.addEventListener("abort", () => this.#wake.notify());
    try {
      while (!this.#stopping && !connection.lost.aborted) {
        const cursor = await RelayCursor.tryAcquire(connection, source);
        if (cursor !== undefined) return await this.#lead(cursor);
        if (await RelayCursor.endFrozen(connection, source, frozenMs)) log.warn({ source }, "ended a frozen relay");
        await this.#wake.wait(standbyMs);
      }
    } finally {
      await connection.close();
    }
  }

  async #lead(cursor: RelayCursor): Promise<void> {
    this.#active = true;
    this.#report.active(true);
    const watch = setInterval(() => this.#showLife(cursor), 1000);
    try {
      await cursor.listen(() => this.#wake.notify());
      await this.#relay(cursor);
    } finally {
      clearInterval(watch);
      this.#active = false;
      this.#report.active(false);
    }
  }

  async #relay(cursor: RelayCursor): Promise<void> {
    const { batchSize, coalesceMs, pollMs } = this.#options;
    let maintained = Number.NEGATIVE_INFINITY;
    let lastEvent = performance.now();
    let asleepLooks = 0;
    while (!this.#stopping && !cursor.connection.lost.aborted) {
      if (performance.now() - maintained > maintenanceMs) {
        await this.#maintain(cursor);
        maintained = performance.now();
      }
      const rows = await cursor.read(batchSize);
      if (rows.length > 0) {
        await this.#send(cursor, rows);
        lastEvent = performance.now();
        asleepLooks = 0;
        if (rows.length === batchSize) continue;
      }
      if (performance.now() - lastEvent < awakeMs) {
        await this.#pause(coalesceMs);
        continue;
      }
      if (asleepLooks === 0) await cursor.sleep();
      // A writer that began before it could see the relay asleep does not notify: look again a few times, ever later.
      const lookAgain = coalesceMs * 2 ** asleepLooks;
      asleepLooks += 1;
      if (await this.#wake.wait(Math.min(lookAgain, pollMs))) lastEvent = performance.now();
    }
  }

  /** Sends until the broker has the batch, and only then moves on. */
  async #send(cursor: RelayCursor, rows: OutboxRow[]): Promise<void> {
    const batch = traceBatch(rows, this.#options.source);
    try {
      for (let tries = 0; !(await this.#trySend(batch.records)); tries += 1) {
        await this.#pause(Math.min(100 * 2 ** tries, 2000));
        if (this.#stopping || cursor.connection.lost.aborted) throw new LeadershipLostError("ended while sending");
      }
      batch.end();
    } catch (error) {
      batch.end(error);
      throw error;
    }
    await cursor.moveTo(rows[rows.length - 1] as OutboxRow);
    this.#report.sent(rows, this.#options.clock.now());
  }

  async #trySend(records: Parameters<EventProducer["send"]>[0]): Promise<boolean> {
    try {
      await Promise.race([this.#options.producer.send(records), this.#outOfTime.promise]);
      return true;
    } catch (error) {
      this.#report.failed(error, records.length);
      return false;
    }
  }

  async #showLife(cursor: RelayCursor): Promise<void> {
    try {
      await cursor.beat();
      const rows = await this.#options.database.query<{ age: number }>(oldestUnsent, cursor.position);
      if (this.#active) this.#report.lag(rows[0]?.age ?? 0);
    } catch {
      // The loop meets the same fault and starts over.
    }
  }

  async #maintain(cursor: RelayCursor): Promise<void> {
    const { clock, keepHours, partitioned } = this.#options;
    const now = clock.now();
    await maintainOutbox(cursor.connection, { now, keepHours, position: cursor.position });
    for (const table of partitioned) await maintainPartitions(cursor.connection, table, { now });
  }

  /** Waits out the whole time unless the relay stops or its session ends. */
  async #pause(ms: number): Promise<void> {
    const end = performance.now() + ms;
    for (let left = ms; left > 0; left = end - performance.now()) {
      if (this.#stopping) return;
      await this.#wake.wait(left);
      if (!this.#active) return;
    }
  }
}
