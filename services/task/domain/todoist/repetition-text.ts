/** A repetition that somebody wrote in words. */
export interface Repetition {
  rrule: string;
  fromCompletion: boolean;
  /** "09:00:00", or undefined for a whole day. */
  time: string | undefined;
}

interface Words {
  /** How a repetition begins; a "!" after it counts from completion. */
  every: RegExp;
  adverbs: Record<string, string>;
  units: Record<string, string>;
  days: Record<string, string>;
  workday: RegExp;
  weekend: RegExp;
  second: RegExp;
  monthDay: RegExp;
  lastDay: RegExp;
  and: RegExp;
  time: RegExp;
}

const workweek = "MO,TU,WE,TH,FR";

const english: Words = {
  every: /^(?:every|each|ev)(!?)\s+/,
  adverbs: { daily: "DAILY", weekly: "WEEKLY", monthly: "MONTHLY", yearly: "YEARLY", annually: "YEARLY" },
  units: {
    day: "DAILY",
    days: "DAILY",
    week: "WEEKLY",
    weeks: "WEEKLY",
    month: "MONTHLY",
    months: "MONTHLY",
    year: "YEARLY",
    years: "YEARLY",
  },
  days: daysOf(
    ["monday", "mon"],
    ["tuesday", "tue", "tues"],
    ["wednesday", "wed"],
    ["thursday", "thu", "thur", "thurs"],
    ["friday", "fri"],
    ["saturday", "sat"],
    ["sunday", "sun"],
  ),
  workday: /^(?:week|work)days?$/,
  weekend: /^weekends?$/,
  second: /^(?:other|second|2nd)\s+/,
  monthDay: /^(?:month on the )?(\d{1,2})(?:st|nd|rd|th)?$/,
  lastDay: /^last day$/,
  and: /\s*(?:,|&|\band\b)\s*/,
  time: /\s+(?:at |@ ?)?(?:(\d{1,2}):(\d{2})\s*(am|pm)?|(\d{1,2})\s*(am|pm)|(?<=(?:at |@ ?))(\d{1,2}))$/,
};

const german: Words = {
  every: /^(?:jede[nrsm]?|alle)(!?)\s+/,
  adverbs: { täglich: "DAILY", wöchentlich: "WEEKLY", monatlich: "MONTHLY", jährlich: "YEARLY" },
  units: {
    tag: "DAILY",
    tage: "DAILY",
    woche: "WEEKLY",
    wochen: "WEEKLY",
    monat: "MONTHLY",
    monate: "MONTHLY",
    jahr: "YEARLY",
    jahre: "YEARLY",
  },
  days: daysOf(
    ["montag", "mo"],
    ["dienstag", "di"],
    ["mittwoch", "mi"],
    ["donnerstag", "do"],
    ["freitag", "fr"],
    ["samstag", "sonnabend", "sa"],
    ["sonntag", "so"],
  ),
  workday: /^(?:werk|arbeits|wochen)tage?$/,
  weekend: /^wochenenden?$/,
  second: /^(?:zweiten?|zweites|2\.)\s+/,
  monthDay: /^(\d{1,2})\.(?: des monats)?$/,
  lastDay: /^letzten tag(?: des monats)?$/,
  and: /\s*(?:,|&|\bund\b)\s*/,
  time: /\s+(?:um )?(?:(\d{1,2}):(\d{2})(?:\s*uhr)?()|(\d{1,2})\s*uhr())$/,
};

const languages: Readonly<Record<string, Words>> = { en: english, de: german };

/** Reads "every 2 weeks at 9am" or "jeden Montag"; undefined for what is no repetition, or none that is known here. */
export function readRepetition(text: string, language: string): Repetition | undefined {
  const words = Object.hasOwn(languages, language) ? languages[language] : undefined;
  if (words === undefined) return undefined;
  const { rest, time, isRight } = takeTime(text.trim().toLowerCase(), words);
  if (!isRight) return undefined;
  const adverb = Object.hasOwn(words.adverbs, rest) ? words.adverbs[rest] : undefined;
  if (adverb !== undefined) return { rrule: `FREQ=${adverb}`, fromCompletion: false, time };
  const every = words.every.exec(rest);
  if (every === null) return undefined;
  const rrule = ruleOf(rest.slice(every[0].length), words);
  return rrule === undefined ? undefined : { rrule, fromCompletion: every[1] === "!", time };
}

/** Whether the text speaks of a repetition at all, in the languages that Todoist has. */
export function looksLikeRepetition(text: string): boolean {
  return /^(every|each|ev|daily|jede|alle|täglich|chaque|tous|toutes|毎|cada|todo|toda|todos|todas|ogni|iedere?|elke|varje|каждый|каждую|каждое|每)/i.test(
    text.trim(),
  );
}

function ruleOf(what: string, words: Words): string | undefined {
  if (words.workday.test(what)) return `FREQ=WEEKLY;BYDAY=${workweek}`;
  if (words.weekend.test(what)) return "FREQ=WEEKLY;BYDAY=SA,SU";
  if (words.lastDay.test(what)) return "FREQ=MONTHLY;BYMONTHDAY=-1";
  return intervalRule(what, words) ?? monthDayRule(what, words) ?? weekdaysRule(what, words);
}

function intervalRule(what: string, words: Words): string | undefined {
  const number = /^(\d{1,3})\s+/.exec(what);
  const second = words.second.exec(what);
  const unit = what.slice((number ?? second)?.[0].length ?? 0);
  const frequency = Object.hasOwn(words.units, unit) ? words.units[unit] : undefined;
  const interval = second === null ? Number(number?.[1] ?? 1) : 2;
  if (frequency === undefined || interval < 1) return undefined;
  return interval === 1 ? `FREQ=${frequency}` : `FREQ=${frequency};INTERVAL=${interval}`;
}

function monthDayRule(what: string, words: Words): string | undefined {
  const day = Number(words.monthDay.exec(what)?.[1] ?? 0);
  return day >= 1 && day <= 31 ? `FREQ=MONTHLY;BYMONTHDAY=${day}` : undefined;
}

function weekdaysRule(what: string, words: Words): string | undefined {
  const days = what.split(words.and).filter((day) => day !== "");
  const codes = days.map((day) => (Object.hasOwn(words.days, day) ? words.days[day] : undefined));
  if (codes.length === 0 || codes.includes(undefined)) return undefined;
  return `FREQ=WEEKLY;BYDAY=${[...new Set(codes)].join(",")}`;
}

function takeTime(text: string, words: Words): { rest: string; time: string | undefined; isRight: boolean } {
  const found = words.time.exec(text);
  if (found === null) return { rest: text, time: undefined, isRight: true };
  const [whole, hours, minutes, half, bareHours, bareHalf, atHours] = found;
  const hour = toHour(Number(hours ?? bareHours ?? atHours), half || bareHalf || "");
  const minute = Number(minutes ?? 0);
  const isRight = hour >= 0 && hour <= 23 && minute <= 59;
  const time = `${String(hour).padStart(2, "0")}:${String(minute).padStart(2, "0")}:00`;
  return { rest: text.slice(0, -whole.length), time, isRight };
}

function toHour(hour: number, half: string): number {
  if (half === "") return hour;
  if (hour < 1 || hour > 12) return -1;
  return (hour % 12) + (half === "pm" ? 12 : 0);
}

function daysOf(...names: string[][]): Record<string, string> {
  const codes = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
  return Object.fromEntries(names.flatMap((group, index) => group.map((name) => [name, codes[index] ?? ""])));
}
