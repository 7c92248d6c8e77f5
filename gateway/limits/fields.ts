import type { Verdict } from "./bucket.ts";
import type { Limit } from "./presets.ts";

/** The value of RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-11, section 3). */
export function policyField(limits: readonly Limit[]): string {
  return limits.map(({ name, points, seconds }) => `"${name}";q=${points};w=${seconds}`).join(", ");
}

/** The value of RateLimit (the same draft, section 4): `t` is when the bucket has more than now, in whole seconds. */
export function stateField(verdicts: readonly Verdict[]): string {
  return verdicts
    .map(({ limit, remaining, moreAfterMs }) => `"${limit.name}";r=${remaining};t=${Math.ceil(moreAfterMs / 1000)}`)
    .join(", ");
}
