import { describe, expect, it } from "vitest";
import { fireTime } from "./fire-time.ts";

const berlin = "Europe/Berlin";
const day = 86_400;
const hour = 3_600;

function momentOf(seconds: number, local: string, timeZone: string | null = null, own = "UTC"): string | undefined {
  const rule = { at: null, before: seconds, snoozeTime: null };
  return fireTime(rule, { local, timeZone }, own)?.toISOString();
}

describe("a reminder's moment", () => {
  it("is its own time, or the due less what it comes before it, or what it was snoozed to", () => {
    const at = new Date("2026-12-01T08:00:00Z");
    const later = new Date("2026-12-01T09:00:00Z");
    expect(fireTime({ at, before: null, snoozeTime: null }, null, berlin)).toEqual(at);
    expect(fireTime({ at, before: null, snoozeTime: later }, null, berlin)).toEqual(later);
    expect(fireTime({ at: null, before: 60, snoozeTime: later }, null, berlin)).toEqual(later);
    expect(fireTime({ at: null, before: 60, snoozeTime: null }, null, berlin)).toBeNull();
    expect(momentOf(0, "2026-12-01T09:00:00", berlin)).toBe("2026-12-01T08:00:00.000Z");
    expect(momentOf(15 * 60, "2026-12-01T09:00:00", berlin)).toBe("2026-12-01T07:45:00.000Z");
  });

  it("follows the zone of the due, and the person's where the due has none", () => {
    expect(momentOf(hour, "2026-07-01T09:00:00", "America/New_York", berlin)).toBe("2026-07-01T12:00:00.000Z");
    expect(momentOf(hour, "2026-07-01T09:00:00", null, berlin)).toBe("2026-07-01T06:00:00.000Z");
    expect(momentOf(0, "2026-07-01", null, berlin)).toBe("2026-06-30T22:00:00.000Z");
    expect(momentOf(0, "2026-07-01", null, "Pacific/Kiritimati")).toBe("2026-06-30T10:00:00.000Z");
  });

  it.each([
    // 2026-03-29: from 02:00 on the clocks say 03:00, so that the day has 23 hours.
    ["a day before, the clock says the same", day, "2026-03-29T09:00:00", "2026-03-28T08:00:00.000Z"],
    ["on that day", 0, "2026-03-29T09:00:00", "2026-03-29T07:00:00.000Z"],
    ["hours before it are hours that pass", 8 * hour, "2026-03-29T09:00:00", "2026-03-28T23:00:00.000Z"],
    ["a reading that is left out", 0, "2026-03-29T02:30:00", "2026-03-29T01:30:00.000Z"],
    ["a day and an hour before", day + hour, "2026-03-30T03:00:00", "2026-03-29T00:00:00.000Z"],
    // 2026-10-25: at 03:00 the clocks say 02:00 again, so that the day has 25 hours.
    ["a day before, the clock says the same", day, "2026-10-25T09:00:00", "2026-10-24T07:00:00.000Z"],
    ["on that day", 0, "2026-10-25T09:00:00", "2026-10-25T08:00:00.000Z"],
    ["hours before it are hours that pass", 8 * hour, "2026-10-25T09:00:00", "2026-10-25T00:00:00.000Z"],
    ["the first of two readings", 0, "2026-10-25T02:30:00", "2026-10-25T00:30:00.000Z"],
    ["two days before", 2 * day, "2026-10-26T09:00:00", "2026-10-24T07:00:00.000Z"],
  ])("is right in Europe/Berlin when the clocks change: %s", (_, seconds, local, expected) => {
    expect(momentOf(seconds, local, berlin)).toBe(expected);
    expect(momentOf(seconds, local, null, berlin)).toBe(expected);
  });

  it("counts a day from its start, also where midnight is left out", () => {
    expect(momentOf(0, "2026-03-29", null, berlin)).toBe("2026-03-28T23:00:00.000Z");
    expect(momentOf(day, "2026-03-30", null, berlin)).toBe("2026-03-28T23:00:00.000Z");
    expect(momentOf(day, "2026-10-26", null, berlin)).toBe("2026-10-24T22:00:00.000Z");
    expect(momentOf(0, "2018-11-04", null, "America/Sao_Paulo")).toBe("2018-11-04T03:00:00.000Z");
  });
});
