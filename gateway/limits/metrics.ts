import { counter } from "#observability/metrics.ts";
import { attributes } from "#observability/names.ts";
import type { Verdict } from "./bucket.ts";

const calls = counter("taskmesh.limits.calls");
const refusals = counter("taskmesh.limits.refusals");

/** Measures what became of one call, and answers with it. */
export function counted(verdicts: readonly Verdict[], isShared: boolean): readonly Verdict[] {
  const refused = verdicts.find(({ allowed }) => !allowed);
  calls.add(1, {
    [attributes.store]: isShared ? "redis" : "memory",
    [attributes.outcome]: refused === undefined ? "allowed" : "refused",
  });
  if (refused !== undefined) refusals.add(1, { [attributes.limit]: refused.limit.name });
  return verdicts;
}
