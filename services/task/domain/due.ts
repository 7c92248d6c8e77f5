import { Temporal } from "temporal-polyfill";
import { invalidArgument } from "#kit/errors.ts";
import type { Due } from "./task.ts";

/** A due as somebody wrote it; an absent part is empty. */
export interface DueInput {
  date: string;
  dateTime: string;
  timeZone: string;
}

const dayPattern = /^\d{4}-\d{2}-\d{2}$/;
const dateTimePattern = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}$/;
const zonePattern = /^[A-Za-z][A-Za-z0-9_+-]*(\/[A-Za-z0-9_+-]+)*$/;
const knownZones = new Map<string, boolean>();

/** Checks a due. Throws INVALID_ARGUMENT naming the part that is wrong, below `task.due`. */
export function toDue({ date, dateTime, timeZone }: DueInput): Due {
  if (date !== "" && dateTime !== "") throw wrong("date_time", "give either date or date_time");
  if (date === "" && dateTime === "") throw invalidArgument("task.due", "give date or date_time");
  if (date !== "") {
    if (timeZone !== "") throw wrong("time_zone", "a date has no time zone; give date_time with it");
    if (!isDay(date)) throw wrong("date", 'must be a day of the calendar from 1900 to 9999, such as "2026-11-30"');
    return { local: date, timeZone: null };
  }
  if (!isDateTime(dateTime)) {
    throw wrong("date_time", 'must be a local time from 1900 to 9999, such as "2026-11-30T09:00:00"');
  }
  if (timeZone !== "" && !isTimeZone(timeZone)) {
    throw wrong("time_zone", 'must be a time zone of the IANA data base, such as "Europe/Berlin"');
  }
  return { local: dateTime, timeZone: timeZone || null };
}

export function isAllDay(due: Due): boolean {
  return due.local.length === 10;
}

/** The moment that tasks are ordered by: a day counts from its start, and what has no zone counts as UTC. */
export function instantOf(due: Due): Date {
  const local = Temporal.PlainDateTime.from(due.local);
  return new Date(local.toZonedDateTime(due.timeZone ?? "UTC").epochMilliseconds);
}

/** What the clock shows in a zone at a moment, as if that were UTC: comparable to `instantOf` a due without a zone. */
export function localAsUtc(moment: Date, timeZone: string): Date {
  const { offsetNanoseconds } = Temporal.Instant.fromEpochMilliseconds(moment.getTime()).toZonedDateTimeISO(timeZone);
  return new Date(moment.getTime() + offsetNanoseconds / 1_000_000);
}

export function sameDue(a: Due | null, b: Due | null): boolean {
  return a?.local === b?.local && (a?.timeZone ?? null) === (b?.timeZone ?? null);
}

/** Whether the text is a day that exists, "2026-11-30". */
export function isDay(text: string): boolean {
  return dayPattern.test(text) && exists(() => Temporal.PlainDate.from(text, { overflow: "reject" }));
}

/** Whether the text is a local time that exists in the calendar, "2026-11-30T09:00:00". */
export function isDateTime(text: string): boolean {
  if (!dateTimePattern.test(text) || text.endsWith(":60")) return false;
  return exists(() => Temporal.PlainDateTime.from(text, { overflow: "reject" }));
}

/** Whether the text is the name of a time zone of the IANA data base. An offset such as "+01:00" is none. */
export function isTimeZone(name: string): boolean {
  if (!zonePattern.test(name)) return false;
  let known = knownZones.get(name);
  if (known === undefined) {
    known = isSupported(name);
    if (knownZones.size < 2000) knownZones.set(name, known);
  }
  return known;
}

function isSupported(timeZone: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone });
    return true;
  } catch {
    return false;
  }
}

function exists(parse: () => { year: number }): boolean {
  try {
    return parse().year >= 1900;
  } catch {
    return false;
  }
}

function wrong(part: string, description: string) {
  return invalidArgument(`task.due.${part}`, description);
}
