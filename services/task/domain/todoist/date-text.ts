import * as chrono from "chrono-node";
import { Temporal } from "temporal-polyfill";
import { isDateTime, isDay } from "../due.ts";
import { firstOccurrence } from "../recurrence.ts";
import type { Due, Recurrence } from "../task.ts";
import { looksLikeRepetition, readRepetition } from "./repetition-text.ts";

/** What relative dates are reckoned from. */
export interface DateFrame {
  /** The language of the words, as Todoist names it: "en", "pt_BR". */
  language: string;
  timeZone: string;
  now: Date;
}

export interface DateReading {
  due: Due | null;
  recurrence: Recurrence | null;
  /** Why nothing could be made of it, in a sentence. */
  problem?: string;
}

type Reader = {
  parse(text: string, reference: chrono.ParsingReference, options: chrono.ParsingOption): chrono.ParsedResult[];
};

/** The languages of Todoist that can be read; the others are Danish, Polish, Korean and Norwegian. */
const readers: Readonly<Record<string, Reader>> = {
  en: chrono.en.casual,
  de: chrono.de.casual,
  fr: chrono.fr.casual,
  ja: chrono.ja.casual,
  pt: chrono.pt.casual,
  nl: chrono.nl.casual,
  es: chrono.es.casual,
  it: chrono.it.casual,
  ru: chrono.ru.casual,
  sv: chrono.sv.casual,
  fi: chrono.fi.casual,
  uk: chrono.uk.casual,
  zh: chrono.zh.hans.casual,
  tw: chrono.zh.hant.casual,
};

const shorthands: Readonly<Record<string, string>> = { tod: "today", tom: "tomorrow" };
const longest = 60;
const none: DateReading = { due: null, recurrence: null };

/** Reads the date of a record, such as "in 5 days" or "jeden Montag", and fixes it in the frame. */
export function readDate(text: string, frame: DateFrame): DateReading {
  const trimmed = text.trim();
  if (trimmed === "") return none;
  if (trimmed.length > longest) return { ...none, problem: "the date is too long to be one" };
  if (isDay(trimmed)) return { due: { local: trimmed, timeZone: null }, recurrence: null };

  const language = frame.language.trim().toLowerCase().split(/[-_]/)[0] || "en";
  const repeated = readRepeated(trimmed, language, frame);
  if (repeated !== undefined) return repeated;
  if (looksLikeRepetition(trimmed)) return { ...none, problem: `the repetition "${trimmed}" is not understood` };
  const reader = Object.hasOwn(readers, language) ? readers[language] : undefined;
  if (reader === undefined) return { ...none, problem: `dates in the language "${language}" are not understood` };
  const due = readOnce(trimmed, reader, frame);
  return due === undefined
    ? { ...none, problem: `the date "${trimmed}" is not understood` }
    : { due, recurrence: null };
}

function readRepeated(text: string, language: string, { now, timeZone }: DateFrame): DateReading | undefined {
  const repetition = readRepetition(text, language);
  if (repetition === undefined) return undefined;
  const { rrule, fromCompletion, time } = repetition;
  const local = localTime(now, timeZone);
  const today = local.toPlainDate();
  const isOver =
    time !== undefined && Temporal.PlainTime.compare(Temporal.PlainTime.from(time), local.toPlainTime()) < 0;
  const day = (isOver ? today.add({ days: 1 }) : today).toString();
  const from = time === undefined ? { local: day, timeZone: null } : { local: `${day}T${time}`, timeZone };
  const due = firstOccurrence(rrule, from);
  return due && { due, recurrence: { rrule, exdates: [], fromCompletion } };
}

function readOnce(text: string, reader: Reader, { now, timeZone }: DateFrame): Due | undefined {
  const offset = localTime(now, timeZone).offsetNanoseconds / 60e9;
  const plain = shorthands[text.toLowerCase()] ?? text;
  const [result, ...others] = reader.parse(plain, { instant: now, timezone: offset }, { forwardDate: true });
  if (result === undefined || others.length > 0 || !isWhole(plain, result)) return undefined;
  const { start } = result;
  if (!start.isCertain("hour")) return dueOf(dayOf(start), null);
  return dueOf(start.isCertain("timezoneOffset") ? movedTo(timeZone, start.date()) : clockReadingOf(start), timeZone);
}

/** What a reading comes to; words can also name a time that no calendar has. */
function dueOf(local: string, timeZone: string | null): Due | undefined {
  return isDay(local) || isDateTime(local) ? { local, timeZone } : undefined;
}

function dayOf(start: chrono.ParsedComponents): string {
  const [year, month, day] = (["year", "month", "day"] as const).map((part) => start.get(part) ?? 0);
  return `${String(year).padStart(4, "0")}-${twoDigits(month)}-${twoDigits(day)}`;
}

function clockReadingOf(start: chrono.ParsedComponents): string {
  const parts = (["hour", "minute", "second"] as const).map((part) => twoDigits(start.get(part) ?? 0));
  return `${dayOf(start)}T${parts.join(":")}`;
}

function movedTo(timeZone: string, time: Date): string {
  if (Number.isNaN(time.getTime())) return "";
  return localTime(time, timeZone).toPlainDateTime().toString({ smallestUnit: "second" });
}

function twoDigits(number: number | undefined): string {
  return String(number).padStart(2, "0");
}

/** Whether nothing is left that might have changed the meaning. */
function isWhole(text: string, { index, text: read }: chrono.ParsedResult): boolean {
  return !/[\p{L}\p{N}]/u.test(text.slice(0, index) + text.slice(index + read.length));
}

function localTime(time: Date, timeZone: string): Temporal.ZonedDateTime {
  return Temporal.Instant.fromEpochMilliseconds(time.getTime()).toZonedDateTimeISO(timeZone);
}
