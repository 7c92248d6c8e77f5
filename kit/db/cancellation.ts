import { AsyncLocalStorage } from "node:async_hooks";
import pg from "pg";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { ServiceError } from "#kit/errors.ts";

const scope = new AsyncLocalStorage<AbortSignal | undefined>();

/** Every query that `fn` starts is cancelled in PostgreSQL once the signal is aborted. */
export function cancelledBy<T>(signal: AbortSignal | undefined, fn: () => T): T {
  return signal === undefined ? fn() : scope.run(signal, fn);
}

/** The signal that stands over the query that is being started. */
export function activeSignal(): AbortSignal | undefined {
  return scope.getStore();
}

/** What an aborted signal means to the caller: its time is over, or it went away. */
export function abortError(signal: AbortSignal, cause?: unknown): ServiceError {
  const { reason } = signal;
  if (reason instanceof ServiceError) return reason;
  return reason instanceof Error && reason.name === "TimeoutError"
    ? new ServiceError({ reason: ErrorReason.DEADLINE_EXCEEDED, message: "the time for the call is over", cause })
    : new ServiceError({ reason: ErrorReason.CANCELLED, message: "the call was cancelled", cause });
}

/** Waits for the work, but not longer than until the signal is aborted. */
export async function untilAborted<T>(signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
  if (signal === undefined) return work;
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(abortError(signal));
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
    work.catch(() => {});
  }
}

/** Cancels queries over connections of its own, so that it works while the pool is exhausted. */
export class Canceller {
  readonly #pool: pg.Pool;

  constructor(options: pg.PoolConfig) {
    this.#pool = new pg.Pool({ ...options, max: 2, idleTimeoutMillis: 5000, allowExitOnIdle: true });
    this.#pool.on("error", () => {});
  }

  /** Asks the backend to give up its query. Never fails: the query then runs into its own timeout. */
  async cancel(backend: number): Promise<void> {
    await this.#pool.query("SELECT pg_cancel_backend($1)", [backend]).catch(() => {});
  }

  close(): Promise<void> {
    return this.#pool.end();
  }
}
