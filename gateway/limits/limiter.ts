import { setTimeout as delay } from "node:timers/promises";
import { LRUCache } from "lru-cache";
import type { Lifecycle } from "#kit/lifecycle.ts";
import { within } from "#kit/redis/patience.ts";
import type { Redis } from "#kit/redis/redis.ts";
import { logger } from "#observability/logger.ts";
import type { Claim, Verdict } from "./bucket.ts";
import { GatewayCount } from "./gateway-count.ts";
import { LocalBuckets } from "./local-buckets.ts";
import { counted } from "./metrics.ts";
import type { Limit } from "./presets.ts";
import { SharedBuckets } from "./shared-buckets.ts";

const log = logger("limits");
const startMs = 1000;
const probeMs = 250;
const maxRefusals = 20_000;

export interface LimiterOptions {
  limits: readonly Limit[];
  /** Undefined: this gateway counts alone. */
  redis: Redis | undefined;
  /** What a call waits for Redis at most, in milliseconds. */
  patienceMs: number;
  lifecycle: Lifecycle;
}

/**
 * Counts calls in Redis, and in this process while Redis is away: then each gateway has its share of every limit.
 * The first failure turns to the process; a probe in the background turns back, so that no call waits to find out.
 */
export class Limiter {
  readonly #local = new LocalBuckets();
  readonly #shared: { buckets: SharedBuckets; redis: Redis; gateways: GatewayCount } | undefined;
  readonly #refusals = new LRUCache<string, { untilMs: number; cost: number }>({ max: maxRefusals });
  readonly #patienceMs: number;
  readonly #stop = new AbortController();
  #isShared: boolean;

  constructor({ limits, redis, patienceMs, lifecycle }: LimiterOptions) {
    this.#patienceMs = patienceMs;
    this.#isShared = redis !== undefined;
    this.#shared = redis && {
      redis,
      buckets: new SharedBuckets(redis, limits),
      gateways: new GatewayCount(redis, lifecycle),
    };
    lifecycle.use("limits", this.#stop, (stop) => stop.abort());
  }

  /** Waits for Redis, at most a second, so that the first calls are counted there too. Never throws. */
  async begin(): Promise<void> {
    if (this.#shared === undefined) return;
    try {
      await within(startMs, this.#shared.redis.ping());
      await this.#shared.gateways.beat();
    } catch (error) {
      this.#turnToLocal(error);
    }
  }

  /** Whether the limits are shared with the other gateways just now. */
  get isShared(): boolean {
    return this.#isShared;
  }

  /** Takes `cost` points for every claim; the call may go on when all verdicts allow it. Never throws. */
  async take(claims: readonly Claim[], cost: number): Promise<readonly Verdict[]> {
    const known = this.#knownRefusals(claims, cost);
    if (known.length > 0) return counted(known, this.#isShared);
    if (this.#shared !== undefined && this.#isShared) {
      try {
        const verdicts = await within(this.#patienceMs, this.#shared.buckets.take(claims, cost));
        this.#remember(claims, verdicts, cost);
        return counted(verdicts, true);
      } catch (error) {
        this.#turnToLocal(error);
      }
    }
    return counted(await this.#local.take(claims, cost), false);
  }

  /** What was refused a moment ago is refused again without asking: a flood does not get as far as Redis. */
  #knownRefusals(claims: readonly Claim[], cost: number): Verdict[] {
    const now = performance.now();
    return claims.flatMap(({ limit, key }) => {
      const refusal = this.#refusals.get(`${limit.name}:${key}`);
      if (refusal === undefined || refusal.untilMs <= now || refusal.cost > cost) return [];
      return [{ limit, allowed: false, remaining: 0, moreAfterMs: refusal.untilMs - now }];
    });
  }

  #remember(claims: readonly Claim[], verdicts: readonly Verdict[], cost: number): void {
    for (const [index, { allowed, limit, moreAfterMs }] of verdicts.entries()) {
      if (!allowed) {
        const untilMs = performance.now() + moreAfterMs;
        this.#refusals.set(`${limit.name}:${claims[index]?.key}`, { untilMs, cost });
      }
    }
  }

  #turnToLocal(error: unknown): void {
    if (!this.#isShared || this.#shared === undefined) return;
    this.#isShared = false;
    this.#refusals.clear();
    const gateways = this.#shared.gateways.latest;
    this.#local.divide(gateways);
    log.warn({ code: codeOf(error), gateways }, "limits are counted in this process while redis is away");
    void this.#turnBack(this.#shared.redis);
  }

  async #turnBack(redis: Redis): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await delay(probeMs, undefined, { ref: false, signal: this.#stop.signal }).catch(() => {});
      if (redis.status !== "ready" || !(await within(this.#patienceMs, redis.ping()).catch(() => false))) continue;
      this.#isShared = true;
      log.info("limits are shared again");
      return;
    }
  }
}

function codeOf(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown };
  return String(code ?? name ?? "unknown");
}
