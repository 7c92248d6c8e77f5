import { setTimeout as delay } from "node:timers/promises";

interface Patience {
  timeoutMs?: number;
  everyMs?: number;
  /** True when waiting has become pointless. */
  giveUp?: () => boolean;
}

/** Asks again until the answer is something, and fails with what was awaited when the time is over. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined | false> | T | undefined | false,
  { timeoutMs = 30_000, everyMs = 100, giveUp }: Patience = {},
): Promise<T> {
  const end = Date.now() + timeoutMs;
  let last: unknown;
  while (Date.now() < end && !giveUp?.()) {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer as T;
    } catch (error) {
      last = error;
    }
    await delay(everyMs);
  }
  throw new Error(`waited in vain for: ${what}`, { cause: last });
}
