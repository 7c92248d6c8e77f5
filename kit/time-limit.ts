import type { ServiceError } from "./errors.ts";

/** Work that has to be over by a time, and that can be ended sooner. */
export interface TimeLimited {
  /** In milliseconds since the epoch; Infinity when there is none. */
  readonly deadlineMs: number;
  /** Ends it with this error. */
  abort(reason: ServiceError): void;
}

const bySignal = new WeakMap<AbortSignal, TimeLimited>();

/** Says whose end a signal tells. */
export function limits(signal: AbortSignal, work: TimeLimited): void {
  bySignal.set(signal, work);
}

/** The work whose end the signal tells; undefined for a signal of another making. */
export function limitedBy(signal: AbortSignal): TimeLimited | undefined {
  return bySignal.get(signal);
}
