import type { Lifecycle } from "../lifecycle.ts";
import type { Readiness } from "./readiness.ts";

export interface StuckOptions {
  readiness: Pick<Readiness, "read">;
  lifecycle: Pick<Lifecycle, "fail" | "use">;
  /** Parts that the process itself keeps in order, once everything that it depends on is there. */
  own: readonly string[];
  /** How long one of these may be away, in milliseconds. */
  limitMs?: number;
  /** Asked before the end: rejects when a dependency answers and yet does not do its work, which then has as long again. */
  dependenciesWork?: () => Promise<unknown>;
}

const lookMs = 1_000;

/**
 * Ends the process when one of its own parts stays away although nothing that it depends on does: whatever repairs itself
 * has had its time, and a new process begins afresh. A dependency that is away never ends it.
 */
export function endWhenStuck(options: StuckOptions): void {
  const { readiness, lifecycle, own, limitMs = 60_000, dependenciesWork } = options;
  let since: number | undefined;
  const look = () => {
    const { failing } = readiness.read();
    const isOwnFault = failing.length > 0 && failing.every((name) => own.includes(name));
    if (!isOwnFault) since = undefined;
    else since ??= performance.now();
    if (since === undefined || performance.now() - since < limitMs) return;
    since = performance.now();
    const end = () => {
      clearInterval(timer);
      lifecycle.fail(new Error(`stuck for ${limitMs / 1_000} s: ${failing.join(", ")}`));
    };
    if (dependenciesWork === undefined) end();
    else dependenciesWork().then(end, () => {});
  };
  const timer = lifecycle.use("watch over what is stuck", setInterval(look, lookMs), clearInterval).unref();
}
