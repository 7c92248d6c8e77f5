import type { DescMethod } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";

/** How many tries beyond the first a hop may spend. Envoy makes none of an RPC that arrives with 0, see envoy/mesh.ts. */
export const retriesHeader = "x-mesh-retries-left";
/** Which try this is, from 1: Envoy counts. */
export const attemptHeader = "x-envoy-attempt-count";
/** What a call from outside may spend on its whole way. */
export const retryBudget = 1;

export interface Retries {
  /** Which try of the call this is, from 1. */
  attempt: number;
  /** How many more may come when this one fails. */
  left: number;
  /** What the calls may spend that are made on behalf of this one. */
  toGive: number;
}

/**
 * The retries of a call, so that they never multiply: the first hop whose RPC may run twice has all that there is, and
 * gives nothing on. One that must not run twice is not retried itself, and gives on what it was given.
 */
export function retriesOf(method: DescMethod, header: (name: string) => string | undefined): Retries {
  const attempt = Math.max(1, count(header(attemptHeader)) ?? 1);
  const given = Math.min(retryBudget, count(header(retriesHeader)) ?? retryBudget);
  if (!mayRunTwice(method)) return { attempt, left: 0, toGive: given };
  return { attempt, left: Math.max(0, given - (attempt - 1)), toGive: 0 };
}

/** Whether the proto says that running the RPC twice does no harm. */
export function mayRunTwice({ idempotency }: DescMethod): boolean {
  return idempotency !== MethodOptions_IdempotencyLevel.IDEMPOTENCY_UNKNOWN;
}

function count(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,3}$/.test(text) ? Number(text) : undefined;
}
