import pg from "pg";
import { logger } from "#observability/logger.ts";
import { observe } from "#observability/metrics.ts";
import { flushed, type Position, PositionReader, replayed } from "./position.ts";
import { Answers } from "./probe.ts";
import { ReplicaLag } from "./replica-lag.ts";
import { sessionClass } from "./session.ts";
import { rowTypes } from "./statement.ts";

const log = logger("db");

export interface ReadReplicaOptions {
  url: string;
  /** Of the primary that it follows. */
  primaryUrl: string;
  applicationName: string;
  /** The most connections; none is kept without work. */
  poolMax: number;
  statementTimeoutMs: number;
  /** How old its data may be, in milliseconds. */
  maxLagMs: number;
}

const lookEveryMs = 500;
const patienceMs = 300;
/** Without reads for this long, nobody looks any more. */
const idleMs = 10_000;

/**
 * A replica of a service's database, for reads that may be a moment old. It is looked at twice a second while it is
 * wanted; one that is away or too far behind serves nobody.
 */
export class ReadReplica {
  readonly maxLagMs: number;
  readonly #pool: pg.Pool;
  readonly #primary: PositionReader;
  readonly #own: PositionReader;
  readonly #stopObserving: () => void;
  readonly #closing = new AbortController();
  #lag = new ReplicaLag();
  #replayed: Position = 0n;
  #isAway = false;
  #isDoubtful = true;
  #wantedAt = 0;
  #looks: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #asking: Promise<void> | undefined;

  constructor({ url, primaryUrl, applicationName, poolMax, statementTimeoutMs, maxLagMs }: ReadReplicaOptions) {
    this.maxLagMs = maxLagMs;
    const connection = { connectionString: url, application_name: applicationName };
    const attributes = { "db.system.name": "postgresql", "db.namespace": new URL(url).pathname.slice(1) };
    this.#pool = new pg.Pool({
      ...connection,
      Client: sessionClass({ answers: new Answers(), attributes }),
      max: poolMax,
      connectionTimeoutMillis: patienceMs,
      statement_timeout: statementTimeoutMs,
      query_timeout: statementTimeoutMs + 1000,
      idleTimeoutMillis: 10_000,
      keepAlive: true,
    });
    this.#pool.on("error", () => {});
    this.#primary = new PositionReader(flushed, { url: primaryUrl, applicationName }, patienceMs);
    this.#own = new PositionReader(replayed, { url, applicationName }, patienceMs);
    this.#stopObserving = observe("taskmesh.db.replica.lag", (record) => {
      if (this.#looks !== undefined) record(Math.min(this.#lag.at(performance.now()), 3_600_000) / 1000);
    });
  }

  /** Whether it shows everything up to the position, and nothing older than `maxLagMs`. Never rejects. */
  async serves(atLeast: Position): Promise<boolean> {
    this.#wantedAt = performance.now();
    if (this.#looks === undefined && !this.#closing.signal.aborted) {
      this.#looks = setInterval(() => void this.#look(), lookEveryMs).unref();
      void this.#look();
    }
    if (!this.#isFresh()) return false;
    if (this.#replayed < atLeast) await this.#ask();
    return this.#isFresh() && this.#replayed >= atLeast;
  }

  /** It was asked and did not answer as it should: nobody goes there before it has answered again. */
  doubt(): void {
    this.#isDoubtful = true;
  }

  /** Runs one statement there. Rejects with the driver's error. */
  async query<R>(text: string, params: readonly unknown[]): Promise<R[]> {
    const client = await this.#pool.connect();
    let failure: Error | undefined;
    try {
      return (await client.query({ text, values: [...params], types: rowTypes })).rows as R[];
    } catch (error) {
      failure = error as Error;
      throw error;
    } finally {
      client.release(failure);
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    clearInterval(this.#looks);
    this.#stopObserving();
    await Promise.all([this.#pool.end(), this.#primary.close(), this.#own.close()]);
  }

  #isFresh(): boolean {
    return !this.#isDoubtful && this.#lag.at(performance.now()) <= this.maxLagMs;
  }

  /** One look at a time. */
  #look(): Promise<void> {
    if (performance.now() - this.#wantedAt > idleMs) {
      clearInterval(this.#looks);
      this.#looks = undefined;
      return Promise.resolve();
    }
    this.#looking ??= this.#lookAtBoth().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #lookAtBoth(): Promise<void> {
    const time = performance.now();
    const position = await this.#primary.read().catch(() => undefined);
    if (position !== undefined) this.#lag.primaryAt(time, position);
    await this.#ask();
  }

  /** One question at a time: the answer to one that was under way is older, so that it promises less. */
  async #ask(): Promise<void> {
    this.#asking ??= this.#askOnce().finally(() => {
      this.#asking = undefined;
    });
    await this.#asking;
  }

  async #askOnce(): Promise<void> {
    try {
      const position = await this.#own.read();
      this.#replayed = position;
      this.#lag.replayed(position);
      this.#isDoubtful = false;
      this.#become(false);
    } catch {
      this.#isDoubtful = true;
      this.#become(true);
    }
  }

  #become(isAway: boolean): void {
    if (isAway === this.#isAway || this.#closing.signal.aborted) return;
    this.#isAway = isAway;
    if (isAway) log.warn("the read replica does not answer: reads go to the primary");
    else log.info("the read replica answers");
  }
}
