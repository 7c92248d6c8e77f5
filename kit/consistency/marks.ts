import { type Position, positionToHex, unknownPosition } from "#kit/db/position.ts";
import type { Redis } from "#kit/redis/redis.ts";

/** Keeps the newer of two positions, whoever comes last. */
const keepNewer = `
local known = redis.call('GET', KEYS[1])
if not known or known < ARGV[1] then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end`;

/** Whose writes have no user: those that anybody may look for. */
const everybody = "*";

/**
 * How far the database was after everybody's last write, for as long as a replica may be behind. Redis is not the truth
 * of anything here: what it does not know is read from the primary.
 */
export class WriteMarks {
  readonly #redis: Redis;
  readonly #prefix: string;
  readonly #keepMs: number;

  /** `keepMs`: at least as long as a replica that serves may be behind. */
  constructor(redis: Redis, service: string, keepMs: number) {
    this.#redis = redis;
    this.#prefix = `written:${service}:`;
    this.#keepMs = keepMs;
  }

  /** Rejects when Redis does not take it. */
  async note(userId: string | undefined, position: Position): Promise<void> {
    const key = this.#prefix + (userId ?? everybody);
    await this.#redis.eval(keepNewer, 1, key, positionToHex(position), this.#keepMs);
  }

  /** What a read of the user must show; everything when Redis does not answer. Never rejects. */
  async newestFor(userId: string): Promise<Position> {
    try {
      // Of a cluster they may be at two nodes.
      const known = await Promise.all([userId, everybody].map((who) => this.#redis.get(this.#prefix + who)));
      // Of the same length, they sort as the positions do.
      const newest = known
        .filter((digits) => digits !== null)
        .sort()
        .at(-1);
      return newest === undefined ? 0n : BigInt(`0x${newest}`);
    } catch {
      return unknownPosition;
    }
  }
}
