/** What a new version may cost while it is tried. */
export interface Budget {
  /** Share of calls that may fail, 0 to 1; no fewer than fail at the old instances. */
  maxErrorRate: number;
  /** Milliseconds that 99 of 100 calls may take; no fewer than at the old instances. */
  maxP99Ms: number;
  /** How long each step is watched at least, in milliseconds. */
  stepMs: number;
  /** Fewer calls than this tell nothing. */
  leastCalls: number;
  /** How long a step that tells nothing is waited for, in milliseconds. */
  patienceMs: number;
}

export function budgetOf({ stepMs = 10_000, ...wished }: Partial<Budget> = {}): Budget {
  return { maxErrorRate: 0.01, maxP99Ms: 500, leastCalls: 30, patienceMs: 6 * stepMs + 60_000, stepMs, ...wished };
}

/** What instances did since the step began. */
export interface Observed {
  calls: number;
  errors: number;
  /** Undefined: nothing was measured. */
  p99Ms: number | undefined;
}

export interface Verdict {
  decision: "wait" | "promote" | "roll back";
  why: string;
}

/** A 99th percentile of fewer calls than this is one call's bad luck. */
const leastForP99 = 100;
/** Fewer failures than this may be chance, whatever their share. */
const leastErrors = 3;

/**
 * Whether the new instances may go on. Failures beyond the budget count as soon as they can hardly be chance, latency at
 * the end of the step, when the new processes have warmed up. What cannot be told in time is not promoted.
 */
export function judge(fresh: Observed, old: Observed, elapsedMs: number, budget: Budget): Verdict {
  const allowed = Math.max(budget.maxErrorRate, rateOf(old));
  const failures = `${fresh.errors} of ${fresh.calls} calls failed, ${percent(allowed)} may`;
  if (fresh.errors >= leastErrors && surelyAbove(fresh, allowed)) return { decision: "roll back", why: failures };
  if (elapsedMs < budget.stepMs) return { decision: "wait", why: failures };
  const isLate = elapsedMs >= budget.patienceMs;
  if (fresh.calls < budget.leastCalls) {
    const why = `only ${fresh.calls} calls in ${Math.round(elapsedMs / 1000)} s, too few to judge by`;
    return { decision: isLate ? "roll back" : "wait", why };
  }
  if (rateOf(fresh) > allowed) return { decision: isLate ? "roll back" : "wait", why: failures };
  const slowest = Math.max(budget.maxP99Ms, old.p99Ms ?? 0);
  if (fresh.p99Ms !== undefined && fresh.p99Ms > slowest && fresh.calls >= leastForP99) {
    return { decision: "roll back", why: `p99 is ${ms(fresh.p99Ms)}, at most ${ms(slowest)} may be` };
  }
  const beside = old.calls > 0 ? ` (old ones: ${old.errors} of ${old.calls}, p99 ${ms(old.p99Ms)})` : "";
  return { decision: "promote", why: `${failures}; p99 ${ms(fresh.p99Ms)}${beside}` };
}

function rateOf({ calls, errors }: Observed): number {
  return calls === 0 ? 0 : errors / calls;
}

/** By the lower end of Wilson's interval for a share, 99 % from one side. */
function surelyAbove({ calls, errors }: Observed, allowed: number): boolean {
  const z = 2.33;
  const share = Math.min(1, errors / Math.max(calls, 1));
  const middle = share + (z * z) / (2 * calls);
  const spread = z * Math.sqrt((share * (1 - share)) / calls + (z * z) / (4 * calls * calls));
  return (middle - spread) / (1 + (z * z) / calls) > allowed;
}

function percent(share: number): string {
  return `${Number((share * 100).toFixed(2))} %`;
}

function ms(value: number | undefined): string {
  return value === undefined ? "unknown" : `${Math.round(value)} ms`;
}
