import { setTimeout as delay } from "node:timers/promises";
import { LRUCache } from "lru-cache";
import { logger } from "#observability/logger.ts";
import type { Lifecycle } from "../lifecycle.ts";
import type { Redis } from "../redis/redis.ts";
import { subscribe } from "../redis/subscribe.ts";

/** The channel of Redis on which ids of revoked sessions are announced, one in each message. */
export const revokedChannel = "auth:revoked";

const pollMs = 1_000;
// Without announcements the poll alone has to keep the promise of one second.
const pollAloneMs = 500;
const overlapMs = 5_000;
const maxSessions = 100_000;
const maxIdLength = 64;

export interface RevocationsOptions {
  /** Sessions revoked within the last so many milliseconds; undefined asks for all whose tokens may be unexpired. */
  list: (withinMs: number | undefined) => Promise<readonly string[]>;
  redis?: Redis | undefined;
  lifecycle: Lifecycle;
}

/**
 * The sessions that are over although their tokens have not expired: told at once by Redis, and by the auth service
 * within a second when Redis is away. While neither answers, those that are known stay refused and the others pass
 * until their tokens expire.
 */
export class Revocations {
  readonly #sessions = new LRUCache<string, true>({ max: maxSessions });
  readonly #list: RevocationsOptions["list"];
  readonly #log = logger("revocations");
  #askedAt: number | undefined;
  #isFailing = false;

  constructor(list: RevocationsOptions["list"]) {
    this.#list = list;
  }

  has(sessionId: string): boolean {
    return this.#sessions.has(sessionId);
  }

  add(sessionId: string): void {
    if (sessionId.length > 0 && sessionId.length <= maxIdLength) this.#sessions.set(sessionId, true);
  }

  /** Asks for what was revoked since the last answer; the first time for everything. Never throws. */
  async poll(): Promise<void> {
    const now = performance.now();
    try {
      const withinMs = this.#askedAt === undefined ? undefined : now - this.#askedAt + overlapMs;
      for (const sessionId of await this.#list(withinMs)) this.add(sessionId);
      this.#askedAt = now;
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing) this.#log.warn({ error }, "cannot ask which sessions were revoked; asking again");
      this.#isFailing = true;
    }
  }
}

/** Keeps the list of revoked sessions up to date until the process stops. */
export function startRevocations({ list, redis, lifecycle }: RevocationsOptions): Revocations {
  const revocations = new Revocations(list);
  const onMessage = (sessionId: string) => revocations.add(sessionId);
  const announcements = redis && subscribe({ redis, channel: revokedChannel, lifecycle, onMessage });
  const stop = new AbortController();
  const polling = pollUntil(stop.signal, revocations, () => announcements?.isLive === true);
  lifecycle.use("revocations", polling, (running) => {
    stop.abort();
    return running;
  });
  return revocations;
}

async function pollUntil(stop: AbortSignal, revocations: Revocations, isAnnounced: () => boolean): Promise<void> {
  while (!stop.aborted) {
    await revocations.poll();
    await delay(isAnnounced() ? pollMs : pollAloneMs, undefined, { signal: stop, ref: false }).catch(() => {});
  }
}
