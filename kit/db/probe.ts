import pg from "pg";

/** What shows that the server works, though it has no room for one more session. */
const tooManyConnections = "53300";

/** When the pool's own statements were answered: as good as any question of ours. */
export class Answers {
  #last = Number.NEGATIVE_INFINITY;
  #next: PromiseWithResolvers<void> | undefined;

  note(): void {
    this.#last = performance.now();
    this.#next?.resolve();
    this.#next = undefined;
  }

  within(ms: number): boolean {
    return this.since(performance.now() - ms);
  }

  /** Whether there was one after this time of the clock of `performance`. */
  since(time: number): boolean {
    return this.#last > time;
  }

  next(): Promise<void> {
    this.#next ??= Promise.withResolvers();
    return this.#next.promise;
  }
}

/** Added to the time after which a silence is known. */
const recentMs = 50;
const limitMs = 1_500;

/**
 * Whether the server answers, asked over a connection of its own: a pool whose connections are all busy is no reason to
 * call the database away. Costs nothing while statements are being answered.
 */
export class DatabaseProbe {
  readonly #config: pg.ClientConfig;
  readonly #answers: Answers;
  #client: pg.Client | undefined;
  #asking: Promise<void> | undefined;

  constructor(config: pg.ClientConfig, answers: Answers) {
    this.#config = { ...config, connectionTimeoutMillis: limitMs, query_timeout: limitMs, keepAlive: true };
    this.#answers = answers;
  }

  /** Throws when the server refuses, or does not answer within 1.5 s. */
  async check(): Promise<void> {
    if (!this.#answers.within(recentMs)) await this.ask();
  }

  /** The same, of this moment: the answer is one that comes from now on. */
  async ask(): Promise<void> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    await Promise.race([this.#asking, this.#answers.next()]);
  }

  async close(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await client?.end().catch(() => {});
  }

  async #ask(): Promise<void> {
    const wasConnected = this.#client !== undefined;
    const started = performance.now();
    try {
      await this.#query();
    } catch (error) {
      // A session may be ended for its own reasons; a new one tells.
      if (!wasConnected || performance.now() - started >= limitMs) throw error;
      await this.#query();
    }
  }

  async #query(): Promise<void> {
    try {
      const client = this.#client ?? (await this.#connect());
      await client.query("SELECT 1");
      this.#answers.note();
    } catch (error) {
      void this.close();
      if ((error as { code?: unknown }).code !== tooManyConnections) throw error;
    }
  }

  async #connect(): Promise<pg.Client> {
    const client = new pg.Client(this.#config);
    client.on("error", () => {});
    this.#client = client;
    await client.connect();
    return client;
  }
}
