import { hash } from "node:crypto";
import { LRUCache } from "lru-cache";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { apiKeyId } from "#kit/auth/api-key.ts";
import { countLookup } from "#kit/cache-lookups.ts";
import { type Clock, systemClock } from "#kit/clock.ts";
import { ServiceError, unauthenticated } from "#kit/errors.ts";

const maxKeys = 10_000;
const freshMs = 60_000;
const refusedMs = 10_000;
const refusals: ErrorReason[] = [ErrorReason.TOKEN_INVALID, ErrorReason.TOKEN_EXPIRED];
const away: ErrorReason[] = [ErrorReason.UNAVAILABLE, ErrorReason.DEADLINE_EXCEEDED];

interface Exchanged {
  accessToken: string;
  freshUntilMs: number;
  expireMs: number;
}

/** Trades a key at the auth service. Throws UNAUTHENTICATED for one that is not good. */
export type Exchange = (key: string) => Promise<{ accessToken: string; expiresIn: number }>;

/**
 * The access tokens of API keys, traded for once a minute and key however many calls come with it. While the auth
 * service is away a key goes on with the token that it has until that expires. Keys are held by their digest only.
 */
export class ApiKeys {
  readonly #exchange: Exchange;
  readonly #clock: Clock;
  readonly #good = new LRUCache<string, Exchanged>({ max: maxKeys });
  /** Apart from the good ones, so that a flood of forgeries does not push those out. */
  readonly #refused: LRUCache<string, ServiceError>;
  readonly #underWay = new Map<string, Promise<Exchanged>>();

  constructor(exchange: Exchange, clock: Clock = systemClock) {
    this.#exchange = exchange;
    this.#clock = clock;
    const perf = { now: () => this.#now() };
    this.#refused = new LRUCache({ max: maxKeys, ttl: refusedMs, perf, ttlResolution: 0 });
  }

  /**
   * A token that may do what the key may. Throws UNAUTHENTICATED, for a typo without asking anybody, and whatever
   * `beforeAsking` throws, which is called before the auth service is asked about a key that is not known here.
   */
  async accessToken(key: string, beforeAsking?: () => Promise<void>): Promise<string> {
    if (apiKeyId(key) === undefined) throw invalidKey();
    const digest = hash("sha256", key, "base64");
    const refusal = this.#refused.get(digest);
    const known = this.#good.get(digest);
    const isFresh = known !== undefined && this.#now() < known.freshUntilMs;
    countLookup("api_key", refusal !== undefined || isFresh);
    if (refusal !== undefined) throw refusal;
    if (isFresh) return known.accessToken;
    try {
      const first = known === undefined ? beforeAsking : undefined;
      return (await this.#once(digest, key, first)).accessToken;
    } catch (error) {
      const isAway = error instanceof ServiceError && away.includes(error.reason);
      if (isAway && known !== undefined && this.#now() < known.expireMs) return known.accessToken;
      throw error;
    }
  }

  /** Drops the token of a key, which has turned out to be no good any more. */
  forget(key: string): void {
    this.#good.delete(hash("sha256", key, "base64"));
  }

  #once(digest: string, key: string, first: (() => Promise<void>) | undefined): Promise<Exchanged> {
    const underWay = this.#underWay.get(digest);
    if (underWay !== undefined) return underWay;
    const asked = Promise.resolve(first?.())
      .then(() => this.#ask(digest, key))
      .finally(() => this.#underWay.delete(digest));
    this.#underWay.set(digest, asked);
    return asked;
  }

  async #ask(digest: string, key: string): Promise<Exchanged> {
    try {
      const { accessToken, expiresIn } = await this.#exchange(key);
      const now = this.#now();
      const expireMs = now + expiresIn * 1_000;
      const exchanged = { accessToken, expireMs, freshUntilMs: Math.min(now + freshMs, expireMs - 1_000) };
      this.#good.set(digest, exchanged);
      return exchanged;
    } catch (error) {
      if (error instanceof ServiceError && refusals.includes(error.reason)) {
        this.#good.delete(digest);
        this.#refused.set(digest, error);
      }
      throw error;
    }
  }

  #now(): number {
    return this.#clock.now().getTime();
  }
}

export function invalidKey(): ServiceError {
  return unauthenticated(ErrorReason.TOKEN_INVALID, "the API key is not valid");
}
