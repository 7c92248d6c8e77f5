import { UserError } from "../user-error.ts";

const unitMs: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The moment that `10m` (ago) or `2026-11-21T10:00:00Z` means; throws one line for anything else. */
export function readSince(text: string, now = Date.now()): Date {
  const [, count, unit = ""] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (count !== undefined) return new Date(now - Number(count) * (unitMs[unit] ?? 0));
  const moment = /^\d{4}-\d\d-\d\d/.test(text) ? new Date(text) : undefined;
  if (moment === undefined || Number.isNaN(moment.getTime())) {
    throw new UserError(`--since ${text} is not understood: write it as 30s, 10m, 2h, 1d or 2026-11-21T10:00:00Z`);
  }
  return moment;
}
