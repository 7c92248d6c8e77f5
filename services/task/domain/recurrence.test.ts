import { describe, expect, it } from "vitest";
import type { ServiceError } from "#kit/errors.ts";
import { firstOccurrence, mustRecur, nextOccurrence } from "./recurrence.ts";
import type { Due } from "./task.ts";

const day = (local: string): Due => ({ local, timeZone: null });
const berlin = (local: string): Due => ({ local, timeZone: "Europe/Berlin" });

interface Series {
  due: Due;
  rrule: string;
  exdates?: string[];
  index?: number;
}

function next({ due, rrule, exdates = [], index = 1 }: Series, completed?: string, homeZone = "UTC") {
  const recurrence = { rrule, exdates, fromCompletion: completed !== undefined };
  const completeTime = new Date(completed ?? "2026-11-21T12:00:00Z");
  return nextOccurrence({ due, recurrence, index, completeTime, homeZone });
}

describe("the next of a series, from the due", () => {
  it.each<[string, Series, string | undefined]>([
    ["daily", { due: day("2026-11-30"), rrule: "FREQ=DAILY" }, "2026-12-01"],
    ["Monday to Wednesday", { due: day("2026-11-30"), rrule: "FREQ=WEEKLY;BYDAY=MO,WE" }, "2026-12-02"],
    ["Wednesday to Monday", { due: day("2026-12-02"), rrule: "FREQ=WEEKLY;BYDAY=MO,WE" }, "2026-12-07"],
    ["every other week", { due: day("2026-11-30"), rrule: "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE" }, "2026-12-02"],
    ["the week after next", { due: day("2026-12-02"), rrule: "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE" }, "2026-12-14"],
    ["a 31st skips short months", { due: day("2026-01-31"), rrule: "FREQ=MONTHLY" }, "2026-03-31"],
    ["the last day", { due: day("2026-01-31"), rrule: "FREQ=MONTHLY;BYMONTHDAY=-1" }, "2026-02-28"],
    ["the last Friday", { due: day("2026-11-27"), rrule: "FREQ=MONTHLY;BYDAY=-1FR" }, "2026-12-25"],
    ["a leap day", { due: day("2024-02-29"), rrule: "FREQ=YEARLY" }, "2028-02-29"],
    [
      "the last workday",
      { due: day("2026-11-30"), rrule: "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1" },
      "2026-12-31",
    ],
    ["a floating time stays", { due: day("2026-11-30T09:00:00"), rrule: "FREQ=DAILY" }, "2026-12-01T09:00:00"],
    ["six hours later", { due: day("2026-11-30T21:00:00"), rrule: "FREQ=HOURLY;INTERVAL=6" }, "2026-12-01T03:00:00"],
    ["a day that is left out", { due: day("2026-12-24"), rrule: "FREQ=DAILY", exdates: ["2026-12-25"] }, "2026-12-26"],
    ["the last day before UNTIL", { due: day("2026-12-30"), rrule: "FREQ=DAILY;UNTIL=20261231" }, "2026-12-31"],
    ["after UNTIL", { due: day("2026-12-31"), rrule: "FREQ=DAILY;UNTIL=20261231" }, undefined],
    ["a floating UNTIL", { due: day("2026-12-31T09:00:00"), rrule: "FREQ=DAILY;UNTIL=20270101T080000" }, undefined],
    ["before COUNT", { due: day("2026-11-30"), rrule: "FREQ=DAILY;COUNT=3", index: 2 }, "2026-12-01"],
    ["after COUNT", { due: day("2026-11-30"), rrule: "FREQ=DAILY;COUNT=3", index: 3 }, undefined],
    [
      "COUNT includes what is left out",
      { due: day("2026-12-24"), rrule: "FREQ=DAILY;COUNT=2", exdates: ["2026-12-25"] },
      undefined,
    ],
    ["the end of the calendar", { due: day("9999-12-31"), rrule: "FREQ=DAILY" }, undefined],
  ])("%s", (_, series, expected) => {
    expect(next(series)?.due.local).toBe(expected);
  });

  it("counts an occurrence that is left out", () => {
    const series = { due: day("2026-12-24"), rrule: "FREQ=DAILY;COUNT=3", exdates: ["2026-12-25"] };
    expect(next(series)).toEqual({ due: day("2026-12-26"), index: 3 });
  });
});

describe("the next of a series, from the completion", () => {
  it.each<[string, Series, string, string]>([
    ["late", { due: day("2026-11-01"), rrule: "FREQ=DAILY;INTERVAL=3" }, "2026-11-10T12:00:00Z", "2026-11-13"],
    ["early", { due: day("2026-11-20"), rrule: "FREQ=WEEKLY" }, "2026-11-18T12:00:00Z", "2026-11-25"],
    [
      "on a Tuesday",
      { due: day("2026-11-23"), rrule: "FREQ=WEEKLY;BYDAY=MO,WE" },
      "2026-11-24T12:00:00Z",
      "2026-11-25",
    ],
    [
      "at the clock reading of the due",
      { due: berlin("2026-11-20T18:00:00"), rrule: "FREQ=DAILY" },
      "2026-11-24T06:00:00Z",
      "2026-11-25T18:00:00",
    ],
    [
      "on the day that it is in the zone of the due",
      { due: berlin("2026-11-20T08:00:00"), rrule: "FREQ=DAILY" },
      "2026-11-24T23:30:00Z",
      "2026-11-26T08:00:00",
    ],
  ])("%s", (_, series, completed, expected) => {
    expect(next(series, completed)?.due.local).toBe(expected);
  });

  it("takes the day from where the person lives when the due has no zone", () => {
    const series = { due: day("2026-11-20"), rrule: "FREQ=DAILY" };
    expect(next(series, "2026-11-24T23:30:00Z", "UTC")?.due.local).toBe("2026-11-25");
    expect(next(series, "2026-11-24T23:30:00Z", "Asia/Tokyo")?.due.local).toBe("2026-11-26");
  });

  it("keeps to COUNT, which the moved days cannot tell", () => {
    const series = { due: day("2026-11-20"), rrule: "FREQ=DAILY;COUNT=2" };
    expect(next({ ...series, index: 1 }, "2026-11-24T12:00:00Z")?.index).toBe(2);
    expect(next({ ...series, index: 2 }, "2026-11-24T12:00:00Z")).toBeUndefined();
  });
});

describe("where clocks change", () => {
  it("keeps the clock reading in a zone", () => {
    expect(next({ due: berlin("2027-03-27T09:00:00"), rrule: "FREQ=DAILY" })?.due).toEqual(
      berlin("2027-03-28T09:00:00"),
    );
    expect(next({ due: berlin("2026-10-24T09:00:00"), rrule: "FREQ=DAILY" })?.due).toEqual(
      berlin("2026-10-25T09:00:00"),
    );
  });

  it("leaves out a clock reading that a day does not have (RFC 5545 section 3.3.10)", () => {
    expect(next({ due: berlin("2027-03-27T02:30:00"), rrule: "FREQ=DAILY" })?.due).toEqual(
      berlin("2027-03-29T02:30:00"),
    );
  });

  it("comes once where a day has the clock reading twice", () => {
    expect(next({ due: berlin("2026-10-24T02:30:00"), rrule: "FREQ=DAILY" })?.due).toEqual(
      berlin("2026-10-25T02:30:00"),
    );
    expect(next({ due: berlin("2026-10-25T02:30:00"), rrule: "FREQ=DAILY" })?.due).toEqual(
      berlin("2026-10-26T02:30:00"),
    );
  });

  it("does not touch a floating time", () => {
    const floating = day("2027-03-27T02:30:00");
    expect(next({ due: floating, rrule: "FREQ=DAILY" })?.due).toEqual(day("2027-03-28T02:30:00"));
  });
});

describe("what can recur", () => {
  function refusedField(rrule: string, due: Due | null, exdates: string[] = []): string | undefined {
    try {
      mustRecur({ rrule, exdates, fromCompletion: false }, due);
    } catch (error) {
      return (error as ServiceError).fieldViolations[0]?.field;
    }
    return undefined;
  }

  it.each<[string, string, Due | null, string[], string | undefined]>([
    ["a rule that goes with its due", "FREQ=WEEKLY", day("2026-11-30"), ["2026-12-25"], undefined],
    ["no due", "FREQ=WEEKLY", null, [], "task.recurrence"],
    ["no rule", "every day", day("2026-11-30"), [], "task.recurrence.rrule"],
    ["hours for a whole day", "FREQ=HOURLY", day("2026-11-30"), [], "task.recurrence.rrule"],
    ["a clock reading for a whole day", "FREQ=DAILY;BYHOUR=9", day("2026-11-30"), [], "task.recurrence.rrule"],
    ["a day that never comes", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", day("2026-11-30"), [], "task.recurrence.rrule"],
    [
      "a local UNTIL for a zoned due",
      "FREQ=DAILY;UNTIL=20270101T000000",
      berlin("2026-11-30T09:00:00"),
      [],
      "task.recurrence.rrule",
    ],
    ["an UNTIL that is no day", "FREQ=DAILY;UNTIL=20261399", day("2026-11-30"), [], "task.recurrence.rrule"],
    [
      "a day left out that never was",
      "FREQ=DAILY",
      day("2026-11-30"),
      ["2026-12-25", "2026-02-30"],
      "task.recurrence.exdates[1]",
    ],
  ])("%s", (_, rrule, due, exdates, field) => {
    expect(refusedField(rrule, due, exdates)).toBe(field);
  });

  it("gives up on a rule that would take for ever to work out", () => {
    const numbers = (count: number) => Array.from({ length: count }, (_, i) => i).join(",");
    const dear = `FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;BYHOUR=${numbers(24)};BYMINUTE=${numbers(60)};BYSECOND=${numbers(60)}`;
    expect(refusedField(dear, day("2026-11-30T09:00:00"))).toBe("task.recurrence.rrule");
  });
});

it("finds the first day that fits a rule, the given one included", () => {
  expect(firstOccurrence("FREQ=WEEKLY;BYDAY=MO", day("2026-11-23"))).toEqual(day("2026-11-23"));
  expect(firstOccurrence("FREQ=WEEKLY;BYDAY=MO", day("2026-11-24"))).toEqual(day("2026-11-30"));
  expect(firstOccurrence("FREQ=MONTHLY;BYMONTHDAY=1", berlin("2026-11-24T09:00:00"))).toEqual(
    berlin("2026-12-01T09:00:00"),
  );
});
