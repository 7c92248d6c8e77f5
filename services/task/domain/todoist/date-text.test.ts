import { describe, expect, it } from "vitest";
import { readDate } from "./date-text.ts";

// A Saturday, noon in Berlin.
const now = new Date("2026-11-21T11:00:00Z");
const read = (text: string, language: string, timeZone = "Europe/Berlin", at = now) =>
  readDate(text, { language, timeZone, now: at });

describe("a date in words becomes a day", () => {
  it.each([
    ["in 5 days", "en", "2026-11-26"],
    ["tomorrow", "en", "2026-11-22"],
    ["tod", "en", "2026-11-21"],
    ["monday", "en", "2026-11-23"],
    ["Jan 5", "en", "2027-01-05"],
    ["5 Jan 2028", "en", "2028-01-05"],
    ["2026-12-24", "ko", "2026-12-24"],
    ["in 5 Tagen", "de", "2026-11-26"],
    ["übermorgen", "de", "2026-11-23"],
    ["24. Dezember", "de", "2026-12-24"],
    ["demain", "fr", "2026-11-22"],
    ["dans 5 jours", "fr", "2026-11-26"],
    ["明日", "ja", "2026-11-22"],
    ["amanhã", "pt_BR", "2026-11-22"],
    ["over 5 dagen", "nl", "2026-11-26"],
    ["mañana", "es", "2026-11-22"],
    ["domani", "it", "2026-11-22"],
    ["через 5 дней", "ru", "2026-11-26"],
    ["imorgon", "sv", "2026-11-22"],
    ["明天", "zh", "2026-11-22"],
  ])("%s (%s) is %s", (text, language, local) => {
    expect(read(text, language)).toEqual({ due: { local, timeZone: null }, recurrence: null });
  });
});

describe("a date with a time is in the zone of the record", () => {
  it.each([
    ["tomorrow at 3pm", "en", "2026-11-22T15:00:00"],
    ["2026-12-24 18:00", "en", "2026-12-24T18:00:00"],
    ["morgen um 15 Uhr", "de", "2026-11-22T15:00:00"],
    ["in 2 hours", "en", "2026-11-21T14:00:00"],
  ])("%s (%s) is %s", (text, language, local) => {
    expect(read(text, language).due).toEqual({ local, timeZone: "Europe/Berlin" });
  });

  it("counts days from where the record is", () => {
    const lateEvening = new Date("2026-11-21T23:30:00Z");
    expect(read("tomorrow", "en", "UTC", lateEvening).due?.local).toBe("2026-11-22");
    expect(read("tomorrow", "en", "Asia/Tokyo", lateEvening).due?.local).toBe("2026-11-23");
    expect(read("tomorrow", "en", "America/New_York", lateEvening).due?.local).toBe("2026-11-22");
  });
});

describe("a repetition in words becomes a rule and its first day", () => {
  it.each<[string, string, string, string]>([
    ["every day", "en", "FREQ=DAILY", "2026-11-21"],
    ["daily", "en", "FREQ=DAILY", "2026-11-21"],
    ["every other day", "en", "FREQ=DAILY;INTERVAL=2", "2026-11-21"],
    ["every 3 weeks", "en", "FREQ=WEEKLY;INTERVAL=3", "2026-11-21"],
    ["ev mon, wed and fri", "en", "FREQ=WEEKLY;BYDAY=MO,WE,FR", "2026-11-23"],
    ["every weekday", "en", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "2026-11-23"],
    ["every weekend", "en", "FREQ=WEEKLY;BYDAY=SA,SU", "2026-11-21"],
    ["every 15th", "en", "FREQ=MONTHLY;BYMONTHDAY=15", "2026-12-15"],
    ["every last day", "en", "FREQ=MONTHLY;BYMONTHDAY=-1", "2026-11-30"],
    ["every year", "en", "FREQ=YEARLY", "2026-11-21"],
    ["jeden Tag", "de", "FREQ=DAILY", "2026-11-21"],
    ["täglich", "de", "FREQ=DAILY", "2026-11-21"],
    ["jeden Montag", "de", "FREQ=WEEKLY;BYDAY=MO", "2026-11-23"],
    ["alle 2 Wochen", "de", "FREQ=WEEKLY;INTERVAL=2", "2026-11-21"],
    ["jede Woche", "de", "FREQ=WEEKLY", "2026-11-21"],
    ["jeden Werktag", "de", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "2026-11-23"],
    ["jeden 15.", "de", "FREQ=MONTHLY;BYMONTHDAY=15", "2026-12-15"],
  ])("%s (%s) is %s from %s", (text, language, rrule, local) => {
    expect(read(text, language)).toEqual({
      due: { local, timeZone: null },
      recurrence: { rrule, exdates: [], fromCompletion: false },
    });
  });

  it.each<[string, string, string, string]>([
    ["every day at 9am", "en", "FREQ=DAILY", "2026-11-22T09:00:00"],
    ["every day at 18:30", "en", "FREQ=DAILY", "2026-11-21T18:30:00"],
    ["every monday 9am", "en", "FREQ=WEEKLY;BYDAY=MO", "2026-11-23T09:00:00"],
    ["every day at 12am", "en", "FREQ=DAILY", "2026-11-22T00:00:00"],
    ["jeden Tag um 8 Uhr", "de", "FREQ=DAILY", "2026-11-22T08:00:00"],
    ["jeden Montag um 8:30", "de", "FREQ=WEEKLY;BYDAY=MO", "2026-11-23T08:30:00"],
  ])("%s (%s) is %s from %s", (text, language, rrule, local) => {
    expect(read(text, language)).toMatchObject({ due: { local, timeZone: "Europe/Berlin" }, recurrence: { rrule } });
  });

  it("counts from completion after an exclamation mark", () => {
    expect(read("every! 3 days", "en").recurrence).toMatchObject({
      rrule: "FREQ=DAILY;INTERVAL=3",
      fromCompletion: true,
    });
  });
});

it.each([
  ["every blue moon", "en", /repetition .* not understood/],
  ["every day at 25:00", "en", /repetition .* not understood/],
  ["cada lunes", "es", /repetition .* not understood/],
  ["whenever", "en", /date .* not understood/],
  ["tomorrow, maybe", "en", /date .* not understood/],
  ["99999 months from now PST noon", "en", /date .* not understood/],
  ["Jan 5 300000 3pm", "en", /date .* not understood/],
  ["in 999999999999 hours", "en", /date .* not understood/],
  ["내일", "ko", /language "ko" are not understood/],
  ["x".repeat(61), "en", /too long/],
])("%s (%s) is nothing, and says why", (text, language, problem) => {
  expect(read(text, language)).toEqual({ due: null, recurrence: null, problem: expect.stringMatching(problem) });
});

it("is nothing when there is none", () => {
  expect(read(" ", "en")).toEqual({ due: null, recurrence: null });
});
