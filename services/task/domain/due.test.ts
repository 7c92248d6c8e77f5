import { describe, expect, it } from "vitest";
import type { ServiceError } from "#kit/errors.ts";
import { type DueInput, instantOf, isTimeZone, sameDue, toDue } from "./due.ts";

const due = (given: Partial<DueInput>) => toDue({ date: "", dateTime: "", timeZone: "", ...given });

function refusedField(given: Partial<DueInput>): string | undefined {
  try {
    due(given);
  } catch (error) {
    return (error as ServiceError).fieldViolations[0]?.field;
  }
  return undefined;
}

describe("a due", () => {
  it("is a day, a floating time or a zoned time", () => {
    expect(due({ date: "2026-11-30" })).toEqual({ local: "2026-11-30", timeZone: null });
    expect(due({ dateTime: "2026-11-30T09:00:00" })).toEqual({ local: "2026-11-30T09:00:00", timeZone: null });
    expect(due({ dateTime: "2028-02-29T23:59:59", timeZone: "Europe/Berlin" })).toEqual({
      local: "2028-02-29T23:59:59",
      timeZone: "Europe/Berlin",
    });
  });

  it.each<[string, Partial<DueInput>, string]>([
    ["nothing", {}, "task.due"],
    ["both", { date: "2026-11-30", dateTime: "2026-11-30T09:00:00" }, "task.due.date_time"],
    ["a day that February never has", { date: "2026-02-30" }, "task.due.date"],
    ["a 29th of February in another year", { date: "2026-02-29" }, "task.due.date"],
    ["a thirteenth month", { date: "2026-13-01" }, "task.due.date"],
    ["a day in words", { date: "tomorrow" }, "task.due.date"],
    ["a day without zeroes", { date: "2026-1-1" }, "task.due.date"],
    ["a year that no calendar of ours has", { date: "0000-01-01" }, "task.due.date"],
    ["an hour that no day has", { dateTime: "2026-11-30T24:00:00" }, "task.due.date_time"],
    ["a leap second", { dateTime: "2026-12-31T23:59:60" }, "task.due.date_time"],
    ["a time with an offset", { dateTime: "2026-11-30T09:00:00Z" }, "task.due.date_time"],
    ["a time without seconds", { dateTime: "2026-11-30T09:00" }, "task.due.date_time"],
    ["a zone that nobody knows", { dateTime: "2026-11-30T09:00:00", timeZone: "Mars/Olympus" }, "task.due.time_zone"],
    ["an offset for a zone", { dateTime: "2026-11-30T09:00:00", timeZone: "+01:00" }, "task.due.time_zone"],
    ["a day with a zone", { date: "2026-11-30", timeZone: "Europe/Berlin" }, "task.due.time_zone"],
    ["a zone alone", { timeZone: "Europe/Berlin" }, "task.due"],
  ])("is not %s", (_, given, field) => {
    expect(refusedField(given)).toBe(field);
  });

  it.each([
    ["2026-11-30", null, "2026-11-30T00:00:00.000Z"],
    ["2026-11-30T09:00:00", null, "2026-11-30T09:00:00.000Z"],
    ["2026-11-30T09:00:00", "Europe/Berlin", "2026-11-30T08:00:00.000Z"],
    ["2026-07-01T09:00:00", "Europe/Berlin", "2026-07-01T07:00:00.000Z"],
    ["2027-03-28T02:30:00", "Europe/Berlin", "2027-03-28T01:30:00.000Z"],
    ["2026-10-25T02:30:00", "Europe/Berlin", "2026-10-25T00:30:00.000Z"],
  ])("%s in %s is ordered by %s", (local, timeZone, instant) => {
    expect(instantOf({ local, timeZone }).toISOString()).toBe(instant);
  });

  it("is compared by reading and zone", () => {
    const day = { local: "2026-11-30", timeZone: null };
    expect(sameDue(day, { ...day })).toBe(true);
    expect(sameDue(null, null)).toBe(true);
    expect(sameDue(day, null)).toBe(false);
    expect(
      sameDue({ local: "2026-11-30T09:00:00", timeZone: null }, { local: "2026-11-30T09:00:00", timeZone: "UTC" }),
    ).toBe(false);
  });
});

it.each([
  ["Europe/Berlin", true],
  ["America/Argentina/Buenos_Aires", true],
  ["UTC", true],
  ["Etc/GMT+5", true],
  ["", false],
  ["+01:00", false],
  ["Europe/Nowhere", false],
  ["../etc/passwd", false],
])("%j is a time zone: %s", (name, known) => {
  expect(isTimeZone(name)).toBe(known);
});
