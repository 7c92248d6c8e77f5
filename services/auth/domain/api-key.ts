import { invalidArgument } from "#kit/errors.ts";

/** How many keys of one account may be good at a time. */
export const maxLiveApiKeys = 50;

const longestLifeMs = 366 * 86_400_000;

/** When a key that is made now ends. Throws INVALID_ARGUMENT for an end that is past or too far ahead. */
export function apiKeyEnd(wished: Date | undefined, now: Date): Date {
  const latest = new Date(now.getTime() + longestLifeMs);
  if (wished === undefined) return latest;
  if (wished <= now) throw invalidArgument("expire_time", "must be in the future");
  if (wished > latest) throw invalidArgument("expire_time", "must be at most 366 days ahead");
  return wished;
}
