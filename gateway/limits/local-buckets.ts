import { LRUCache } from "lru-cache";
import { type Buckets, type Claim, costIn, type Verdict } from "./bucket.ts";

/** Beyond so many the bucket that was not asked for longest is forgotten, so that a flood of addresses costs no more. */
const maxBuckets = 50_000;
const rounding = 0.0001;

interface Bucket {
  used: number;
  /** When that many were in use. */
  at: number;
  /** Until when everything is refused. */
  closed: number;
}

/** The same buckets in this process: for a gateway alone, or while Redis is away. Milliseconds of a clock that never leaps. */
export class LocalBuckets implements Buckets {
  readonly #buckets = new LRUCache<string, Bucket>({ max: maxBuckets });
  readonly #now: () => number;
  #gateways = 1;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** From now on each of that many gateways has its share. What was taken before stays taken. */
  divide(gateways: number): void {
    this.#gateways = Math.max(1, gateways);
  }

  async take(claims: readonly Claim[], cost: number): Promise<Verdict[]> {
    return claims.map((claim) => this.#takeOne(claim, cost));
  }

  #takeOne({ limit, key }: Claim, wanted: number): Verdict {
    const now = this.#now();
    const size = Math.max(1, Math.floor(limit.points / this.#gateways));
    const each = (limit.seconds * 1000) / size;
    const cost = Math.min(size, costIn(limit, wanted));
    const bucket = this.#bucket(`${limit.name}:${key}`, now);
    bucket.used = Math.max(0, bucket.used - (now - bucket.at) / each);
    bucket.at = now;
    const missing = bucket.used + cost - size;
    const isClosed = bucket.closed > now;
    if (isClosed || missing > rounding) {
      if (!isClosed && limit.block !== undefined) bucket.closed = now + limit.block * 1000;
      const moreAfterMs = isClosed ? bucket.closed - now : Math.max(missing * each, bucket.closed - now);
      return { limit, allowed: false, remaining: 0, moreAfterMs };
    }
    bucket.used += cost;
    const whole = Math.ceil(bucket.used - rounding);
    return { limit, allowed: true, remaining: size - whole, moreAfterMs: (bucket.used - whole + 1) * each };
  }

  #bucket(name: string, now: number): Bucket {
    let bucket = this.#buckets.get(name);
    if (bucket === undefined) {
      bucket = { used: 0, at: now, closed: 0 };
      this.#buckets.set(name, bucket);
    }
    return bucket;
  }
}
