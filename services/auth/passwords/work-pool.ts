import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { ServiceError } from "#kit/errors.ts";

/** Runs at most `slots` jobs at a time and keeps at most `queue` waiting, first come first served. */
export class WorkPool {
  readonly #waiting: (() => void)[] = [];
  readonly #slots: number;
  readonly #queue: number;
  #running = 0;

  constructor({ slots, queue }: { slots: number; queue: number }) {
    this.#slots = slots;
    this.#queue = queue;
  }

  /**
   * Throws RESOURCE_EXHAUSTED at once when the queue is full. A caller whose signal aborts while it waits gives its
   * place up and gets the signal's reason; a job that has begun is finished.
   */
  async run<T>(job: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    if (this.#running < this.#slots) this.#running += 1;
    else await this.#wait(signal);
    try {
      return await job();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running -= 1;
    }
  }

  #wait(signal: AbortSignal | undefined): Promise<void> {
    if (this.#waiting.length >= this.#queue) {
      throw new ServiceError({
        reason: ErrorReason.RATE_LIMITED,
        message: "too many sign-ins at the moment; try again in a second",
        retryAfterMs: 1_000,
      });
    }
    return new Promise((resolve, reject) => {
      const turn = () => {
        signal?.removeEventListener("abort", leave);
        resolve();
      };
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(turn), 1);
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", leave, { once: true });
      this.#waiting.push(turn);
    });
  }
}
