import type { DedicatedConnection } from "#kit/db/dedicated.ts";
import { endHolderStatement, tryLead } from "#kit/db/leader-lock.ts";
import { statement } from "#kit/db/statement.ts";
import { outboxChannel } from "./outbox.ts";

export interface OutboxRow {
  xid: string;
  seq: bigint;
  insert_time: Date;
  topic: string;
  key: string;
  event_id: string;
  type: string;
  sequence: bigint;
  payload: Buffer;
  occur_time: Date;
  traceparent: string | null;
  tracestate: string | null;
}

/** Another instance has become the leader, or the session that held the lock is gone. */
export class LeadershipLostError extends Error {
  override readonly name = "LeadershipLostError";
}

// "outbox" as a number; together with the source's hash it names the lock.
const lockSpace = 0x6f757462;

// The session that holds the lock although its process has not shown itself for long: stopped, or its loop is stuck.
const endFrozen = endHolderStatement(
  "relay-end-frozen",
  "EXISTS (SELECT 1 FROM outbox_cursor WHERE source = $2 AND beat_time < now() - $3::float8 * interval '1 ms')",
);

const takeOver = statement(
  "relay-take-over",
  `INSERT INTO outbox_cursor AS cursor (source, epoch, asleep) VALUES ($1, 1, false)
   ON CONFLICT (source) DO UPDATE SET epoch = cursor.epoch + 1, asleep = false, beat_time = now()
   RETURNING xid::text, seq, epoch`,
);

// Everything below the oldest transaction that still runs is decided: a commit can no longer put a row in front of it.
// The columns are qualified because "xid" alone would order by the text of the output column, "10" before "9".
const readBatch = statement(
  "relay-read",
  `SELECT event.xid::text, event.seq, insert_time, topic, key, event_id, type, sequence, payload, occur_time,
     traceparent, tracestate
   FROM outbox_event AS event
   WHERE (event.xid, event.seq) > ($1::xid8, $2::bigint) AND event.xid < pg_snapshot_xmin(pg_current_snapshot())
   ORDER BY event.xid, event.seq LIMIT $3`,
);

const moveCursor = statement(
  "relay-move",
  `UPDATE outbox_cursor SET xid = $3::xid8, seq = $4, asleep = false, beat_time = now()
   WHERE source = $1 AND epoch = $2 RETURNING epoch`,
);

const fallAsleep = statement(
  "relay-sleep",
  "UPDATE outbox_cursor SET asleep = true WHERE source = $1 AND epoch = $2 RETURNING epoch",
);

const beat = statement(
  "relay-beat",
  "UPDATE outbox_cursor SET beat_time = now() WHERE source = $1 AND epoch = $2 RETURNING epoch",
);

/** How far the outbox has been sent. Only the leader of the present epoch can move it. */
export class RelayCursor {
  readonly connection: DedicatedConnection;
  readonly #source: string;
  readonly #epoch: bigint;
  #xid: string;
  #seq: bigint;

  private constructor(
    connection: DedicatedConnection,
    source: string,
    at: { xid: string; seq: bigint; epoch: bigint },
  ) {
    this.connection = connection;
    this.#source = source;
    this.#epoch = at.epoch;
    this.#xid = at.xid;
    this.#seq = at.seq;
  }

  /** Becomes the leader if nobody else is. The lock lasts as long as the session. */
  static async tryAcquire(connection: DedicatedConnection, source: string): Promise<RelayCursor | undefined> {
    if (!(await tryLead(connection, { space: lockSpace, name: source }))) return undefined;
    const [at] = await connection.query<{ xid: string; seq: bigint; epoch: bigint }>(takeOver, [source]);
    return at && new RelayCursor(connection, source, at);
  }

  /** Ends the leader's session when it has given no sign of life for so long; its lock is free then. */
  static async endFrozen(connection: DedicatedConnection, source: string, frozenMs: number): Promise<boolean> {
    return (await connection.query(endFrozen, [lockSpace, source, frozenMs])).length > 0;
  }

  get position(): readonly [xid: string, seq: string] {
    return [this.#xid, String(this.#seq)];
  }

  listen(hear: () => void): Promise<void> {
    return this.connection.listen(outboxChannel, hear);
  }

  read(limit: number): Promise<OutboxRow[]> {
    return this.connection.query<OutboxRow>(readBatch, [...this.position, limit]);
  }

  /** Moves behind a row that the broker has. */
  async moveTo({ xid, seq }: OutboxRow): Promise<void> {
    await this.#fenced(moveCursor, [xid, String(seq)]);
    this.#xid = xid;
    this.#seq = seq;
  }

  /** The sign of life of a leader that has nothing to move. */
  beat(): Promise<void> {
    return this.#fenced(beat, []);
  }

  /** From now on writers notify. */
  sleep(): Promise<void> {
    return this.#fenced(fallAsleep, []);
  }

  async #fenced(change: typeof moveCursor, params: unknown[]): Promise<void> {
    const changed = await this.connection.query(change, [this.#source, String(this.#epoch), ...params]);
    if (changed.length === 0) throw new LeadershipLostError(`epoch ${this.#epoch} of ${this.#source} is over`);
  }
}
