import { clientNetwork } from "#kit/client-network.ts";
import type { Redis } from "#kit/redis/redis.ts";
import { logger } from "#observability/logger.ts";

const log = logger("connections");

/**
 * KEYS[1] the connections of one address, by the time until which they count; ARGV: a connection, how many there may be,
 * how long it counts at most (milliseconds). Answers 1 when it may stay. The clock is Redis' own.
 */
const openScript = `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
`;

const attempts = 3;
/** So many ends are kept for a Redis that is away: more than Envoy has connections. */
const maxUnheard = 10_000;

/** A connection of a client to one of our Envoys. */
export interface Connection {
  /** Address of the client, without its port. */
  client: string;
  /** Tells it from every other connection of the client: both ends with their ports. */
  id: string;
}

export interface ConnectionCountOptions {
  redis: Redis | undefined;
  /** How many connections an address may have at a time. */
  limit: number;
  /** How long a connection counts whose end nobody told of, in milliseconds: longer than Envoy lets one live. */
  longestMs: number;
}

/**
 * How many connections each address has, over all Envoys and gateways. An aid, not a lock: whenever it cannot count,
 * connections are let in.
 */
export class ConnectionCount {
  readonly #options: ConnectionCountOptions;
  /** Connections whose end Redis has not heard of, for it was away: they would count for half an hour otherwise. */
  #unheard: Connection[] = [];

  constructor(options: ConnectionCountOptions) {
    this.#options = options;
  }

  /** Whether the connection may stay. It counts from now until `closed`. */
  async opened(connection: Connection): Promise<boolean> {
    // Under a burst the first answer may come too late for its time limit; asking again counts nothing twice.
    for (let attempt = 0; attempt < attempts; attempt++) {
      const stays = await this.#ask(connection);
      if (stays !== undefined) return stays;
    }
    return true;
  }

  async #ask({ client, id }: Connection): Promise<boolean | undefined> {
    const { redis, limit, longestMs } = this.#options;
    if (redis === undefined || !Number.isFinite(limit)) return true;
    try {
      // Before the question, on the same connection: what has ended does not count.
      if (redis.status === "ready") for (const ended of this.#unheard.splice(0)) void this.closed(ended);
      return (await redis.eval(openScript, 1, keyOf(client), id, limit, longestMs)) === 1;
    } catch (error) {
      log.debug({ error }, "cannot count a connection");
      return undefined;
    }
  }

  async closed(connection: Connection): Promise<void> {
    const { redis, limit } = this.#options;
    if (redis === undefined || !Number.isFinite(limit)) return;
    const { client, id } = connection;
    await redis.zrem(keyOf(client), id).catch(() => {
      if (this.#unheard.length < maxUnheard) this.#unheard.push(connection);
    });
  }
}

function keyOf(client: string): string {
  return `conn:${clientNetwork(client)}`;
}
