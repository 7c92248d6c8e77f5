import { newId } from "#kit/id.ts";
import type { Lifecycle } from "#kit/lifecycle.ts";
import type { Redis } from "#kit/redis/redis.ts";

const key = "rl:gateways";
const beatMs = 5000;
const goneMs = 15_000;

/** By the clock of Redis, for those of the gateways may differ. KEYS[1] the list; ARGV: who is there, how long that holds. */
const beatScript = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], 0, now - ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('ZCARD', KEYS[1])
`;

/** How many gateways share the limits, from a list in Redis where each says now and then that it is there. */
export class GatewayCount {
  /** As last known. */
  latest = 1;
  readonly #redis: Redis;
  /** Replicas of a container may all have been given the same name. */
  readonly #id = newId();

  constructor(redis: Redis, lifecycle: Lifecycle) {
    this.#redis = redis;
    const timer = setInterval(() => void this.beat(), beatMs);
    lifecycle.use("gateway count", timer, async (running) => {
      clearInterval(running);
      await redis.zrem(key, this.#id).catch(() => {});
    });
  }

  /** Says that this gateway is there, and counts. Never throws: while Redis is away the number stays. */
  async beat(): Promise<void> {
    const count = await this.#redis.eval(beatScript, 1, key, this.#id, goneMs).catch(() => undefined);
    if (typeof count === "number" && count >= 1) this.latest = count;
  }
}
