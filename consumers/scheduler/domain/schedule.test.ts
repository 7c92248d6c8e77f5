import { describe, expect, it } from "vitest";
import { armed, moved, type Scheduled } from "./schedule.ts";

const at = (time: string) => new Date(`2026-12-01T${time}Z`);
const event = (time: string, eventId = `event at ${time}`) => ({ eventId, occurTime: at(time) });
const due = (time: string) => ({ local: `2026-12-01T${time}`, timeZone: "UTC" });

function reminder(rule: Partial<Scheduled>): Scheduled {
  return {
    at: null,
    before: null,
    snoozeTime: null,
    dueLocal: "2026-12-01T12:00:00",
    dueTimeZone: "UTC",
    timeZone: "UTC",
    isOpen: true,
    fireTime: null,
    state: "idle",
    sourceEventId: "",
    ...rule,
  };
}

describe("a reminder that is set", () => {
  it("waits for its moment", () => {
    const set = armed(reminder({ before: 3_600 }), event("09:00:00", "a"));
    expect(set).toMatchObject({ state: "waiting", fireTime: at("11:00:00"), sourceEventId: "a" });
  });
  it("is missed when its moment has passed, and idle without a due", () => {
    expect(armed(reminder({ before: 3_600 }), event("11:00:00")).state).toBe("missed");
    expect(armed(reminder({ before: 3_600, dueLocal: null }), event("09:00:00")).state).toBe("idle");
  });
});

describe("a reminder whose task changes", () => {
  const set = armed(reminder({ before: 3_600 }), event("09:00:00", "set"));
  const fired: Scheduled = { ...set, state: "fired" };

  it("moves with the due, and comes again at the new one", () => {
    for (const before of [set, fired]) {
      const after = moved(before, { due: due("14:00:00"), isOpen: true }, event("11:30:00", "moved"));
      expect(after).toMatchObject({ state: "waiting", fireTime: at("13:00:00"), sourceEventId: "moved" });
    }
  });
  it("does not come again for a change that leaves its moment", () => {
    const after = moved(fired, { due: due("12:00:00"), isOpen: true }, event("11:30:00"));
    expect(after).toMatchObject({ state: "fired", sourceEventId: "set" });
  });
  it("is missed when the new moment has passed, and idle without a due", () => {
    expect(moved(set, { due: due("10:00:00") }, event("09:30:00")).state).toBe("missed");
    expect(moved(set, { due: null }, event("09:30:00"))).toMatchObject({ state: "idle", fireTime: null });
    expect(moved(moved(set, { due: null }, event("09:30:00")), { due: due("13:00:00") }, event("10:00:00")).state).toBe(
      "waiting",
    );
  });
  it("goes by the due again after a snooze, and a time of its own does not", () => {
    const snoozed = armed({ ...set, snoozeTime: at("15:00:00") }, event("10:00:00"));
    expect(snoozed.fireTime).toEqual(at("15:00:00"));
    expect(moved(snoozed, { due: due("12:00:00") }, event("10:01:00")).fireTime).toEqual(at("15:00:00"));
    expect(moved(snoozed, { due: due("13:00:00") }, event("10:01:00"))).toMatchObject({
      fireTime: at("12:00:00"),
      snoozeTime: null,
    });
    const own = armed(reminder({ at: at("10:30:00"), snoozeTime: at("15:00:00") }), event("10:00:00"));
    expect(moved(own, { due: due("13:00:00") }, event("10:01:00")).fireTime).toEqual(at("15:00:00"));
  });
  it("is over for a moment that passed while the task was done, and waits on when it lies ahead", () => {
    const done = moved(set, { isOpen: false }, event("10:00:00"));
    expect(done).toMatchObject({ isOpen: false, state: "waiting" });
    expect(moved(done, { isOpen: true }, event("10:30:00"))).toMatchObject({ isOpen: true, state: "waiting" });
    expect(moved(done, { isOpen: true }, event("11:30:00"))).toMatchObject({ isOpen: true, state: "missed" });
  });
  it("moves with the person's zone where the due has none", () => {
    const floating = armed(reminder({ before: 0, dueTimeZone: null }), event("09:00:00"));
    expect(moved(floating, { timeZone: "Europe/Berlin" }, event("09:30:00")).fireTime).toEqual(at("11:00:00"));
    expect(moved(set, { timeZone: "Europe/Berlin" }, event("09:30:00")).fireTime).toEqual(at("11:00:00"));
    expect(moved(set, { timeZone: "Europe/Berlin" }, event("09:30:00")).sourceEventId).toBe("set");
  });
});
