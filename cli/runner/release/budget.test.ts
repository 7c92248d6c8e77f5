import { describe, expect, test } from "vitest";
import { budgetOf, judge, type Observed } from "./budget.ts";

const budget = budgetOf({ stepMs: 10_000 });
const did = (calls: number, errors: number, p99Ms: number | undefined = 20): Observed => ({ calls, errors, p99Ms });
const decide = (fresh: Observed, old: Observed, seconds: number) => judge(fresh, old, seconds * 1000, budget).decision;

describe("a canary", () => {
  test("that keeps to its budget goes on at the end of the step, not before", () => {
    expect(decide(did(200, 0), did(2000, 0), 9)).toBe("wait");
    expect(decide(did(200, 0), did(2000, 0), 10)).toBe("promote");
    expect(decide(did(200, 2), did(2000, 0), 10)).toBe("promote");
  });

  test("that fails beyond it goes back at once, in the middle of a step", () => {
    expect(decide(did(25, 5), did(500, 0), 1)).toBe("roll back");
    expect(decide(did(3, 3), did(500, 0), 1)).toBe("roll back");
    expect(judge(did(25, 5), did(500, 0), 1000, budget).why).toBe("5 of 25 calls failed, 1 % may");
  });

  test("is not judged by one call's bad luck", () => {
    expect(decide(did(10, 1), did(500, 0), 1)).toBe("wait");
    expect(decide(did(40, 1), did(500, 0), 10)).toBe("wait");
    expect(decide(did(400, 1), did(5000, 0), 60)).toBe("promote");
  });

  test("is not blamed for what the old instances suffer as well", () => {
    expect(decide(did(100, 20), did(1000, 200), 10)).toBe("promote");
    expect(decide(did(100, 40), did(1000, 200), 10)).toBe("roll back");
    expect(decide(did(200, 0, 900), did(2000, 0, 950), 10)).toBe("promote");
  });

  test("with too few calls waits, and is not promoted when none come", () => {
    expect(decide(did(5, 0), did(100, 0), 10)).toBe("wait");
    expect(judge(did(5, 0), did(100, 0), 10_000, budget).why).toBe("only 5 calls in 10 s, too few to judge by");
    expect(decide(did(5, 0), did(100, 0), 121)).toBe("roll back");
    expect(decide(did(40, 1), did(500, 0), 121)).toBe("roll back");
  });

  test("that is slow goes back at the end of the step, once a percentile says something", () => {
    expect(decide(did(200, 0, 800), did(2000, 0), 9)).toBe("wait");
    expect(decide(did(200, 0, 800), did(2000, 0), 10)).toBe("roll back");
    expect(decide(did(60, 0, 800), did(600, 0), 10)).toBe("promote");
    expect(decide(did(200, 0, undefined), did(2000, 0, undefined), 10)).toBe("promote");
  });
});
