import { describe, expect, it } from "vitest";
import { isNeeded, missingTurns, signingKey, type Turn } from "./key-schedule.ts";

const day = 86_400_000;
const policy = { rotationMs: 30 * day, tokenTtlMs: 900_000 };
const at = (ms: number) => new Date(ms);
const turn = (from: number, until: number): Turn => ({ signFrom: at(from), signUntil: at(until) });

describe("missingTurns", () => {
  it("begins at once where there is no key", () => {
    expect(missingTurns([], policy, at(0))).toEqual([turn(0, 30 * day)]);
  });

  it("wants nothing until a day before the end", () => {
    expect(missingTurns([turn(0, 30 * day)], policy, at(29 * day - 1))).toEqual([]);
    expect(missingTurns([turn(0, 30 * day)], policy, at(29 * day))).toEqual([turn(30 * day, 60 * day)]);
  });

  it("begins at once when all turns are over, however long ago", () => {
    expect(missingTurns([turn(0, 30 * day)], policy, at(100 * day))).toEqual([turn(100 * day, 130 * day)]);
  });

  it("plans so many short turns ahead that verifiers learn of each in time", () => {
    const turns = missingTurns([], { ...policy, rotationMs: 5000 }, at(0));
    expect(turns.at(-1)?.signUntil.getTime()).toBeGreaterThan(90_000);
    for (const [index, { signFrom }] of turns.entries()) {
      expect(signFrom).toEqual(index === 0 ? at(0) : turns[index - 1]?.signUntil);
    }
  });

  it("leaves no moment without a key that signs, over a year", () => {
    let turns: Turn[] = [];
    for (let now = 0; now < 365 * day; now += day / 2) {
      turns = turns.filter((known) => isNeeded(known, policy, at(now)));
      turns.push(...missingTurns(turns, policy, at(now)));
      expect(signingKey(turns, at(now))).toBeDefined();
      expect(turns.length).toBeLessThanOrEqual(2);
    }
  });
});

describe("signingKey", () => {
  it("is the one whose turn it is, and of several the one that signs longest", () => {
    const [a, b] = [turn(0, 10), turn(5, 20)];
    expect([signingKey([a, b], at(0)), signingKey([a, b], at(5)), signingKey([a, b], at(20))]).toEqual([
      a,
      b,
      undefined,
    ]);
  });
});

describe("isNeeded", () => {
  it("keeps a key for as long as its last token may live, and a minute", () => {
    const key = turn(0, 30 * day);
    expect(isNeeded(key, policy, at(30 * day + 900_000 + 59_999))).toBe(true);
    expect(isNeeded(key, policy, at(30 * day + 900_000 + 60_000))).toBe(false);
  });
});
