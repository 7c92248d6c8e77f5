import { createHash } from "node:crypto";
import fc from "fast-check";

/** A seed that depends on all of the parts: each place of a run has its own, whatever happens in the others. */
export function seedOf(...parts: (string | number)[]): number {
  return createHash("sha256").update(parts.join("\0")).digest().readInt32BE(0);
}

/** The value that belongs to a seed. */
export function drawn<T>(values: fc.Arbitrary<T>, seed: number): T {
  return fc.sample(values, { seed, numRuns: 1 })[0] as T;
}
