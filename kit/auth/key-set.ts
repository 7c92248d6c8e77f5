import type { KeyObject } from "node:crypto";
import type { Clock } from "../clock.ts";
import { unavailable } from "../errors.ts";
import { importPublicKey, type Jwks } from "./jws.ts";

const refreshAfterMs = 60_000;
const refetchEveryMs = 10_000;
const firstFetchEveryMs = 1_000;

/**
 * The public keys that tokens are verified with. Fetched when first needed, once a minute, and for a key that is not
 * known; never more than once in 10 seconds, and never twice at a time. While the source is away or answers with
 * nothing that is a key, the last good keys stay.
 */
export class KeySet {
  readonly #fetch: () => Promise<Jwks>;
  readonly #clock: Clock;
  #keys: ReadonlyMap<string, KeyObject> = new Map();
  #tried = Number.NEGATIVE_INFINITY;
  #failed = false;
  #pending: Promise<void> | undefined;

  constructor(fetch: () => Promise<Jwks>, clock: Clock) {
    this.#fetch = fetch;
    this.#clock = clock;
  }

  /** Whether the key was there when the set was fetched last. */
  has(kid: string): boolean {
    return this.#keys.has(kid);
  }

  /** The key, or undefined when there is none by this id. Throws UNAVAILABLE when that cannot be known. */
  async find(kid: string): Promise<KeyObject | undefined> {
    const known = this.#keys.get(kid);
    if (known) {
      this.touch();
      return known;
    }
    if (this.#age() >= (this.#keys.size === 0 ? firstFetchEveryMs : refetchEveryMs)) void this.#refresh();
    await this.#pending;
    const found = this.#keys.get(kid);
    if (!found && this.#failed) throw unavailable("the keys that tokens are verified with cannot be had just now");
    return found;
  }

  /** Fetches the keys when they are due, so that those that were retired go even while nobody asks for new ones. */
  touch(): void {
    if (this.#age() >= (this.#failed ? refetchEveryMs : refreshAfterMs)) void this.#refresh();
  }

  #age(): number {
    return this.#clock.now().getTime() - this.#tried;
  }

  #refresh(): Promise<void> {
    this.#tried = this.#clock.now().getTime();
    this.#pending ??= this.#load().finally(() => {
      this.#pending = undefined;
    });
    return this.#pending;
  }

  async #load(): Promise<void> {
    try {
      const keys = new Map<string, KeyObject>();
      for (const jwk of (await this.#fetch()).keys) {
        const key = importPublicKey(jwk);
        if (key) keys.set(jwk.kid, key);
      }
      this.#failed = keys.size === 0;
      if (!this.#failed) this.#keys = keys;
    } catch {
      this.#failed = true;
    }
  }
}
