import { Temporal } from "temporal-polyfill";

/** When a task is due: a day, or a clock reading that is floating unless it has a zone. */
export interface Due {
  /** "2026-11-30" or "2026-11-30T09:00:00". */
  local: string;
  /** IANA name; null for a day and for a floating time. */
  timeZone: string | null;
}

/** What a reminder goes by. */
export interface Rule {
  at: Date | null;
  /** Seconds before the due. */
  before: number | null;
  /** When it comes instead. */
  snoozeTime: Date | null;
}

const daySeconds = 86_400;

/**
 * The moment of a reminder; null while there is none. A due without a zone counts in the person's, a day from its
 * start. Whole days before it are days of the calendar, which may have 23 or 25 hours; the rest is time that passes.
 * A clock reading that is left out or comes twice when the clocks change is taken as RFC 5545 section 3.3.5 says: by
 * the offset from before the gap, and as the first of two.
 */
export function fireTime({ at, before, snoozeTime }: Rule, due: Due | null, timeZone: string): Date | null {
  if (snoozeTime !== null || at !== null) return snoozeTime ?? at;
  if (before === null || due === null) return null;
  const days = Math.floor(before / daySeconds);
  const moment = Temporal.PlainDateTime.from(due.local)
    .toZonedDateTime(due.timeZone ?? timeZone)
    .subtract({ days, seconds: before - days * daySeconds });
  return new Date(moment.epochMilliseconds);
}
