import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { ServiceError } from "#kit/errors.ts";

export interface WatcherLimits {
  /** Streams of all people at this process. */
  total: number;
  /** Streams of one person at this process. */
  perPerson: number;
}

const fullMs = 5_000;

/** Waits for news of one inbox. */
export interface Watcher {
  /** Forgets the news so far; to be called before the inbox is read, so that none is missed. */
  readonly forget: () => void;
  /** Answers when there are news, were there any since `forget`, or after so many milliseconds. Throws what the signal says. */
  readonly wait: (withinMs: number, signal: AbortSignal) => Promise<void>;
  readonly close: () => void;
}

interface Waiting {
  hasNews: boolean;
  wake: () => void;
}

/** Those at this process who watch inboxes, by the owner of the inbox. */
export class Watchers {
  readonly #limits: WatcherLimits;
  readonly #byPerson = new Map<string, Set<Waiting>>();
  #total = 0;

  constructor(limits: WatcherLimits) {
    this.#limits = limits;
  }

  get total(): number {
    return this.#total;
  }

  /** Throws RESOURCE_EXHAUSTED when there are too many. */
  open(recipientId: string): Watcher {
    const own = this.#byPerson.get(recipientId) ?? new Set();
    if (own.size >= this.#limits.perPerson) throw tooMany("you have too many streams open; close one of them");
    if (this.#total >= this.#limits.total) throw tooMany("too many streams are open here", fullMs);
    const waiting: Waiting = { hasNews: false, wake: () => {} };
    this.#byPerson.set(recipientId, own.add(waiting));
    this.#total += 1;
    return {
      forget: () => {
        waiting.hasNews = false;
      },
      wait: (withinMs, signal) => wait(waiting, withinMs, signal),
      close: () => {
        if (!own.delete(waiting)) return;
        this.#total -= 1;
        if (own.size === 0) this.#byPerson.delete(recipientId);
      },
    };
  }

  wake(recipientId: string): void {
    for (const waiting of this.#byPerson.get(recipientId) ?? []) tell(waiting);
  }

  wakeAll(): void {
    for (const own of this.#byPerson.values()) for (const waiting of own) tell(waiting);
  }
}

function tell(waiting: Waiting): void {
  waiting.hasNews = true;
  waiting.wake();
}

function wait(waiting: Waiting, withinMs: number, signal: AbortSignal): Promise<void> {
  if (waiting.hasNews) return Promise.resolve();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const abort = () => reject(signal.reason);
  const timer = setTimeout(resolve, withinMs);
  waiting.wake = resolve;
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  return promise.finally(() => {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
    waiting.wake = () => {};
  });
}

function tooMany(message: string, retryAfterMs?: number): ServiceError {
  return new ServiceError({
    reason: ErrorReason.RATE_LIMITED,
    message,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}
