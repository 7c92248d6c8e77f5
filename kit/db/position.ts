import pg from "pg";
import { type Statement, statement } from "./statement.ts";

/** How far a server's log (WAL) has come, in bytes: a bigger one knows all that a smaller one knows. */
export type Position = bigint;

/** More than any position: what is not known is as good as just written. */
export const unknownPosition: Position = 0xffff_ffff_ffff_ffffn;

/** PostgreSQL's text of a position, `16/B374D848`. Throws when it is not one. */
export function parsePosition(text: string): Position {
  const [, high, low] = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(text) ?? [];
  if (high === undefined || low === undefined) throw new Error("not a position in the log");
  return (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`);
}

/** Sixteen digits, which sort as the positions do. */
export function positionToHex(position: Position): string {
  return position.toString(16).padStart(16, "0");
}

/** The position of what is safe on a primary's disk: not before that of anything that it has committed. */
export const flushed = statement("db-flushed", "SELECT pg_current_wal_flush_lsn()::text AS position");

/** The position up to which a standby shows everything; no row from a server that is not one. */
export const replayed = statement(
  "db-replayed",
  "SELECT pg_last_wal_replay_lsn()::text AS position WHERE pg_is_in_recovery()",
);

/** Asks one server for its position, over a connection of its own that comes back by itself. */
export class PositionReader {
  readonly #pool: pg.Pool;
  readonly #sql: string;

  constructor(
    { text }: Statement,
    { url, applicationName }: { url: string; applicationName: string },
    patienceMs: number,
  ) {
    this.#sql = text;
    this.#pool = new pg.Pool({
      connectionString: url,
      application_name: applicationName,
      max: 1,
      connectionTimeoutMillis: patienceMs,
      query_timeout: patienceMs,
      idleTimeoutMillis: 30_000,
      allowExitOnIdle: true,
      keepAlive: true,
    });
    this.#pool.on("error", () => {});
  }

  /** Rejects when the server does not answer in time, or has no such position. */
  async read(): Promise<Position> {
    const { rows } = await this.#pool.query<{ position: string }>(this.#sql);
    return parsePosition(rows[0]?.position ?? "");
  }

  close(): Promise<void> {
    return this.#pool.end();
  }
}
