import { within } from "#kit/redis/patience.ts";
import type { Redis } from "#kit/redis/redis.ts";

const patienceMs = 50;
const restMs = 1_000;

/**
 * Asks Redis so that nobody waits longer than 50 ms, and while it does not answer only one call a second does. It also
 * knows since when Redis has answered: what was kept there before may have missed a change.
 */
export class PatientRedis {
  readonly #redis: Redis;
  readonly #onBack: () => void;
  #restsUntil = 0;
  #isTroubled = false;
  #trustedSince = 0;

  /** `onBack` is called each time that Redis answers again. */
  constructor(redis: Redis, onBack: () => void = () => {}) {
    this.#redis = redis;
    this.#onBack = onBack;
    redis.on("close", () => {
      this.#isTroubled = true;
    });
    redis.on("ready", () => {
      this.#restsUntil = 0;
      if (this.#isTroubled) void this.#recover().catch(() => this.#rest());
    });
  }

  /** In milliseconds of Redis' own clock; 0 when it has answered for as long as this process runs. */
  get trustedSince(): number {
    return this.#trustedSince;
  }

  /** Whether it is worth asking. */
  get isThere(): boolean {
    return this.#redis.status === "ready" && performance.now() >= this.#restsUntil;
  }

  /** Undefined when Redis does not answer in time. Never rejects. */
  async ask<T>(question: (redis: Redis) => Promise<T>): Promise<T | undefined> {
    if (!this.isThere) return undefined;
    try {
      if (this.#isTroubled) await this.#recover();
      return await within(patienceMs, question(this.#redis));
    } catch {
      this.#rest();
      return undefined;
    }
  }

  async #recover(): Promise<void> {
    const [seconds, microseconds] = (await within(patienceMs, this.#redis.time())) as [unknown, unknown];
    this.#trustedSince = Number(seconds) * 1_000 + Math.ceil(Number(microseconds) / 1_000);
    this.#isTroubled = false;
    this.#onBack();
  }

  #rest(): void {
    this.#isTroubled = true;
    this.#restsUntil = performance.now() + restMs;
  }
}
