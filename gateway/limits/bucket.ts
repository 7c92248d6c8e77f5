import type { Limit } from "./presets.ts";

/** A limit and whose bucket of it. */
export interface Claim {
  readonly limit: Limit;
  /** Address, user or API key. */
  readonly key: string;
}

/** What became of a claim. */
export interface Verdict {
  readonly limit: Limit;
  readonly allowed: boolean;
  /** Points left, in whole ones. */
  readonly remaining: number;
  /** Until there is a point more; of a refused claim, until it would be allowed. In milliseconds. */
  readonly moreAfterMs: number;
}

/** Where buckets are kept. */
export interface Buckets {
  /** Takes `cost` points for each claim, from those buckets that have as many. The verdicts are in the order of the claims. */
  take(claims: readonly Claim[], cost: number): Promise<Verdict[]>;
}

/** A call that asks for more than a bucket holds takes all of it, for it would wait for ever otherwise. */
export function costIn({ points }: Limit, cost: number): number {
  return Math.min(points, cost);
}
