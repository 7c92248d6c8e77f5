/** Failures that cost nothing; the next one starts the delays. */
export const freeFailures = 5;
const firstDelayMs = 1_000;
const longestDelayMs = 15 * 60_000;
/** After this long without a failure the count starts anew. */
export const forgetAfterMs = 24 * 3_600_000;

export interface Failures {
  count: number;
  lastTime: Date;
}

/** How long nobody is let try after so many failures in a row: 1 s after the fifth, then double, at most 15 min. */
export function delayAfter(failures: number): number {
  if (failures < freeFailures) return 0;
  return Math.min(longestDelayMs, firstDelayMs * 2 ** Math.min(failures - freeFailures, 30));
}

/** How many milliseconds are left until the next try is let through; 0 when it is let through now. */
export function waitBeforeTry(failures: Failures | undefined, now: Date): number {
  if (failures === undefined) return 0;
  const since = now.getTime() - failures.lastTime.getTime();
  return since >= forgetAfterMs ? 0 : Math.max(0, delayAfter(failures.count) - since);
}
