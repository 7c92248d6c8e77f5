import { RateLimiterRedis, RateLimiterRes } from "rate-limiter-flexible";
import type { Redis } from "#kit/redis/redis.ts";
import { type Buckets, type Claim, costIn, type Verdict } from "./bucket.ts";
import type { Limit } from "./presets.ts";

const keyPrefix = "rl";

/**
 * One bucket, taken from and written back in one step, so that any number of gateways share it exactly. The clock is
 * Redis' own. KEYS[1] the bucket; ARGV: points to take, seconds to fill it and that a refusal lasts, size, seconds to
 * fill it. Kept are the points in use, when that was true, and until when everything is refused (microseconds).
 * Answers with the points in use, more than the size when refused, and when it is worth asking again (milliseconds).
 */
const bucketScript = `
local cost, size, fill = tonumber(ARGV[1]), tonumber(ARGV[3]), tonumber(ARGV[4])
local block = (tonumber(ARGV[2]) - fill) * 1000000
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local each = fill * 1000000 / size
local used, at, closed = 0, now, 0
local state = redis.call('GET', KEYS[1])
if state then
  local a, b, c = string.match(state, '^(%S+) (%S+) (%S+)$')
  used, at, closed = tonumber(a) or 0, tonumber(b) or now, tonumber(c) or 0
end
used = math.max(0, used - math.max(0, now - at) / each)
if closed > now then return { size + 1, math.ceil((closed - now) / 1000) } end
local refused = used + cost > size + 0.0001
local wait = refused and (used + cost - size) * each or 0
if refused and block == 0 then return { size + 1, math.ceil(wait / 1000) } end
if refused then
  closed, wait = now + block, math.max(wait, block)
else
  used, closed = used + cost, 0
end
local keep = math.max(used * each, closed - now)
redis.call('SET', KEYS[1], string.format('%.6f %.0f %.0f', used, now, closed), 'PX', math.ceil(keep / 1000) + 1)
if refused then return { size + 1, math.ceil(wait / 1000) } end
local whole = math.ceil(used - 0.0001)
return { whole, math.ceil((used - whole + 1) * each / 1000) }
`;

/** Buckets in Redis, which all gateways share. Fails at once while Redis is away. */
export class SharedBuckets implements Buckets {
  readonly #limiters: ReadonlyMap<string, RateLimiterRedis>;

  constructor(redis: Redis, limits: readonly Limit[]) {
    this.#limiters = new Map(limits.map((limit) => [limit.name, limiterOf(redis, limit)]));
  }

  /** The commands leave together: one way to Redis and back for all claims. */
  take(claims: readonly Claim[], cost: number): Promise<Verdict[]> {
    return Promise.all(claims.map((claim) => this.#takeOne(claim, cost)));
  }

  async #takeOne({ limit, key }: Claim, cost: number): Promise<Verdict> {
    const limiter = this.#limiters.get(limit.name);
    if (limiter === undefined) throw new Error(`no limiter was made for ${limit.name}`);
    try {
      const options = limit.block === undefined ? undefined : { customDuration: limit.seconds + limit.block };
      return verdictOf(limit, true, await limiter.consume(key, costIn(limit, cost), options));
    } catch (thrown) {
      if (thrown instanceof RateLimiterRes) return verdictOf(limit, false, thrown);
      throw thrown;
    }
  }
}

function limiterOf(redis: Redis, { name, points, seconds }: Limit): RateLimiterRedis {
  return new RateLimiterRedis({
    storeClient: redis,
    keyPrefix: `${keyPrefix}:${name}`,
    points,
    duration: seconds,
    // The script is one for all limiters of a connection.
    customIncrTtlLuaScript: bucketScript,
    rejectIfRedisNotReady: true,
  });
}

function verdictOf(limit: Limit, allowed: boolean, { remainingPoints, msBeforeNext }: RateLimiterRes): Verdict {
  return { limit, allowed, remaining: allowed ? remainingPoints : 0, moreAfterMs: msBeforeNext };
}
