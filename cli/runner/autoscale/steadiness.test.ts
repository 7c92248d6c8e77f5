import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Policy } from "./policy.ts";
import { noMemory, remember, steady } from "./steadiness.ts";

type Limits = Pick<Policy, "min" | "max" | "up" | "down">;

/** As the project's own files say it. */
const usual: Limits = {
  min: 2,
  max: 10,
  up: {
    windowMs: 0,
    select: "Max",
    rules: [
      { type: "Percent", value: 100, periodMs: 15_000 },
      { type: "Pods", value: 4, periodMs: 15_000 },
    ],
  },
  down: { windowMs: 300_000, select: "Max", rules: [{ type: "Percent", value: 50, periodMs: 60_000 }] },
};

/** How many replicas there are after each wish, one every 15 s. */
function follow(wishes: readonly number[], limits = usual, start = 2): number[] {
  let memory = { ...noMemory, wishes: [{ at: 0, replicas: start }] };
  let current = start;
  return wishes.map((wished, index) => {
    const now = (index + 1) * 15_000;
    const { replicas } = steady(limits, memory, { now, current, wished });
    memory = { ...remember(limits, memory, { now, wished, by: replicas - current }) } as typeof memory;
    current = replicas;
    return current;
  });
}

const turns = (replicas: readonly number[], start = 2) => {
  const signs = [start, ...replicas]
    .map((count, index, all) => Math.sign(count - (all[index - 1] ?? count)))
    .filter(Boolean);
  return signs.filter((sign, index) => index > 0 && sign !== signs[index - 1]).length;
};
const times = (count: number, value: number) => Array<number>(count).fill(value);

describe("more", () => {
  test("comes at once, at most doubled or by four in 15 s", () => {
    expect(follow([10, 10])).toEqual([6, 10]);
    expect(follow([9], { ...usual, max: 20 }, 6)).toEqual([9]);
    expect(follow([20], { ...usual, max: 20 }, 6)).toEqual([12]);
  });

  test("never exceeds the most", () => {
    expect(follow([50, 50, 50])).toEqual([6, 10, 10]);
  });

  test("waits for every wish of its window when it has one", () => {
    const patient = { ...usual, up: { ...usual.up, windowMs: 40_000 } };
    expect(follow([8, 8, 8], patient)).toEqual([2, 2, 6]);
    expect(follow([8, 2, 8, 8], patient)).toEqual([2, 2, 2, 2]);
  });
});

describe("fewer", () => {
  test("come only when five minutes agree, then by half a minute at most, down to the least", () => {
    const drained = follow([8, ...times(30, 0)]);
    expect(drained.slice(0, 26)).toEqual([...times(20, 6), ...times(4, 3), 2, 2]);
    expect(drained.at(-1)).toBe(2);
    expect(turns(drained)).toBe(1);
  });

  test("never come where the file forbids them", () => {
    expect(follow([8, ...times(40, 0)], { ...usual, down: { ...usual.down, select: "Disabled" } }).at(-1)).toBe(6);
  });
});

test("one that is outside of its bounds goes there first", () => {
  expect(steady(usual, noMemory, { now: 0, current: 1, wished: 0 })).toEqual({ replicas: 2, held: "the least is 2" });
  expect(steady(usual, noMemory, { now: 0, current: 12, wished: 12 })).toEqual({
    replicas: 10,
    held: "the most is 10",
  });
});

describe("flapping", () => {
  test.each([
    ["lag that comes and goes at every look", Array.from({ length: 80 }, (_, n) => (n % 2 === 0 ? 9 : 0))],
    ["a burst every two minutes", Array.from({ length: 80 }, (_, n) => (n % 8 === 0 ? 7 : 0))],
    ["a sawtooth", Array.from({ length: 80 }, (_, n) => n % 10)],
  ])("%s turns the replicas nowhere but up", (_title, wishes) => {
    expect(turns(follow(wishes))).toBe(0);
  });

  test("whatever is wished, there is no turn back up within the window after a turn down, and no bound is left", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 15 }), { maxLength: 120 }), (wishes) => {
        const replicas = follow(wishes);
        expect(Math.max(2, ...replicas)).toBeLessThanOrEqual(10);
        expect(Math.min(2, ...replicas)).toBe(2);
        replicas.forEach((count, index) => {
          const before = replicas[index - 1] ?? 2;
          // A step down is one that nobody had wished against for five minutes.
          if (count < before)
            expect(Math.max(...wishes.slice(Math.max(0, index - 19), index + 1))).toBeLessThan(before);
        });
      }),
    );
  });

  test("is what there would be without the window", () => {
    const hasty = { ...usual, down: { ...usual.down, windowMs: 0, rules: [] } };
    const wishes = Array.from({ length: 80 }, (_, n) => (n % 2 === 0 ? 9 : 0));
    expect(turns(follow(wishes, hasty))).toBeGreaterThan(50);
  });
});
