import { RRuleTemporal } from "rrule-temporal";
import { Temporal } from "temporal-polyfill";
import { invalidArgument } from "#kit/errors.ts";
import { isAllDay, isDay } from "./due.ts";
import { type RuleParts, readRule } from "./rrule.ts";
import type { Due, Recurrence } from "./task.ts";

/** The task of a series that is done, and what decides about the one after it. */
export interface DoneOccurrence {
  due: Due;
  recurrence: Recurrence;
  index: number;
  completeTime: Date;
  /** The day of completion is meant in this zone unless the due has one. */
  homeZone: string;
}

export interface NextOccurrence {
  due: Due;
  index: number;
}

// How many hours, days, … are looked through for the next occurrence. A rule that finds none there is refused, so that
// the dearest one that 500 characters can hold keeps the process busy for a tenth of a second at most.
const maxIterations = { HOURLY: 200, DAILY: 400, WEEKLY: 60, MONTHLY: 50, YEARLY: 12 } as const;
const maxCandidateEvaluations = 3000;

/** Throws INVALID_ARGUMENT, below `task.recurrence`, for a rule that is malformed or cannot go with the due. */
export function mustRecur(recurrence: Recurrence, due: Due | null): void {
  if (due === null) throw invalidArgument("task.recurrence", "a task that comes again needs a due");
  const rule = readRule(recurrence.rrule);
  if (typeof rule === "string") throw wrongRule(rule);
  if (isAllDay(due)) {
    const tooFine = ["BYHOUR", "BYMINUTE", "BYSECOND"].find((name) => rule.names.has(name));
    if (rule.frequency === "HOURLY") throw wrongRule("FREQ=HOURLY needs a due with a time");
    if (tooFine !== undefined) throw wrongRule(`${tooFine} needs a due with a time`);
  }
  recurrence.exdates.forEach((exdate, i) => {
    if (!isDay(exdate)) throw invalidArgument(`task.recurrence.exdates[${i}]`, "must be a day of the calendar");
  });
  try {
    generator(rule, due, startOf(due)).next(startOf(due));
  } catch {
    throw wrongRule("no day that fits it can be found");
  }
}

/** The next due after a done task, or undefined when the series is over (COUNT, UNTIL, the end of the calendar). */
export function nextOccurrence(done: DoneOccurrence): NextOccurrence | undefined {
  const { due, recurrence } = done;
  const rule = readRule(recurrence.rrule);
  if (typeof rule === "string") return undefined;
  const start = recurrence.fromCompletion ? completionStart(done) : startOf(due);
  const excluded = new Set(recurrence.exdates);
  try {
    const occurrences = generator(rule, due, start);
    let at = start;
    for (let index = done.index + 1; index <= (rule.count ?? Number.MAX_SAFE_INTEGER); index += 1) {
      const next = occurrences.next(at);
      if (next === null || next.year > 9999) return undefined;
      const local = next.toPlainDateTime().toString({ smallestUnit: "second" });
      if (!excluded.has(local.slice(0, 10))) {
        return { due: { local: isAllDay(due) ? local.slice(0, 10) : local, timeZone: due.timeZone }, index };
      }
      at = next;
    }
  } catch {
    // The rule was checked against another due; from here on it leads nowhere within the bounds.
  }
  return undefined;
}

/** The first day on or after the given one that fits the rule; undefined when there is none. */
export function firstOccurrence(rrule: string, from: Due): Due | undefined {
  const rule = readRule(rrule);
  if (typeof rule === "string") return undefined;
  const start = startOf(from);
  const next = generator(rule, from, start).next(start, true);
  if (next === null) return undefined;
  const local = next.toPlainDateTime().toString({ smallestUnit: "second" });
  return { local: isAllDay(from) ? local.slice(0, 10) : local, timeZone: from.timeZone };
}

function startOf(due: Due): Temporal.ZonedDateTime {
  return Temporal.PlainDateTime.from(due.local).toZonedDateTime(due.timeZone ?? "UTC");
}

/** The day of completion, at the clock reading of the due. */
function completionStart({ due, completeTime, homeZone }: DoneOccurrence): Temporal.ZonedDateTime {
  const day = Temporal.Instant.fromEpochMilliseconds(completeTime.getTime())
    .toZonedDateTimeISO(due.timeZone ?? homeZone)
    .toPlainDate();
  return day.toZonedDateTime({
    timeZone: due.timeZone ?? "UTC",
    plainTime: Temporal.PlainDateTime.from(due.local).toPlainTime(),
  });
}

function generator(rule: RuleParts, due: Due, dtstart: Temporal.ZonedDateTime): RRuleTemporal<Temporal.ZonedDateTime> {
  // Clock readings without a zone are reckoned in UTC; there an UNTIL needs its Z.
  const isFloating = due.timeZone === null && rule.until?.length === 15;
  const rruleString = isFloating ? rule.endless.replace(`UNTIL=${rule.until}`, `UNTIL=${rule.until}Z`) : rule.endless;
  return new RRuleTemporal({
    rruleString,
    dtstart,
    temporal: Temporal,
    maxIterations: maxIterations[rule.frequency],
    maxCandidateEvaluations,
  });
}

function wrongRule(description: string) {
  return invalidArgument("task.recurrence.rrule", `must be a rule of RFC 5545 without "RRULE:": ${description}`);
}
