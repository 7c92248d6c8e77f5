import pg from "pg";
import { toServiceError } from "./errors.ts";
import { knownStatement, rowTypes, type Statement } from "./statement.ts";

export interface DedicatedOptions {
  url: string;
  applicationName: string;
  statementTimeoutMs?: number;
}

/**
 * One session outside of any pool, for what belongs to a session: advisory locks and LISTEN. `lost` is aborted when the
 * session ends for whatever reason, and with it every lock is gone.
 */
export class DedicatedConnection {
  readonly #client: pg.Client;
  readonly #lost = new AbortController();
  #last: Promise<unknown> = Promise.resolve();

  private constructor(client: pg.Client) {
    this.#client = client;
    client.on("error", () => this.#lost.abort());
    client.on("end", () => this.#lost.abort());
  }

  static async open({
    url,
    applicationName,
    statementTimeoutMs = 10_000,
  }: DedicatedOptions): Promise<DedicatedConnection> {
    const client = new pg.Client({
      connectionString: url,
      application_name: applicationName,
      statement_timeout: statementTimeoutMs,
      // A statement that the network has swallowed must not hold up its caller for ever.
      query_timeout: statementTimeoutMs + 5000,
      connectionTimeoutMillis: 3000,
      keepAlive: true,
      keepAliveInitialDelayMillis: 5000,
      // The server looks after a vanished peer, so that its locks are free again within about ten seconds.
      options: "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3",
    });
    const connection = new DedicatedConnection(client);
    try {
      await client.connect();
    } catch (error) {
      await connection.close();
      throw toServiceError(error);
    }
    return connection;
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Runs one statement; one after the other, in the order of the calls. */
  async query<R = Record<string, unknown>>(sql: string | Statement, params: readonly unknown[] = []): Promise<R[]> {
    const text = typeof sql === "string" ? sql : sql.text;
    const name = knownStatement(text)?.name;
    const answer = this.#last.then(() => this.#client.query({ name, text, values: [...params], types: rowTypes }));
    this.#last = answer.catch(() => {});
    try {
      return (await answer).rows as R[];
    } catch (error) {
      throw toServiceError(error);
    }
  }

  /** Calls `hear` whenever somebody notifies the channel. */
  async listen(channel: string, hear: () => void): Promise<void> {
    this.#client.on("notification", (message) => {
      if (message.channel === channel) hear();
    });
    await this.query(`LISTEN ${pg.escapeIdentifier(channel)}`);
  }

  async close(): Promise<void> {
    this.#lost.abort();
    await this.#client.end().catch(() => {});
  }
}
