import { expect, test } from "vitest";
import type { LoadResult } from "../../cli/load/open-loop.ts";
import { noteLateness, outcomeOf } from "./open-load.ts";

const result: LoadResult = {
  seconds: 2,
  due: 600,
  right: 600,
  failed: 0,
  failures: {},
  rate: 300,
  latency: { p50: 3, p95: 9, p99: 12, p999: 20, max: 30, mean: 4 },
  lateness: { p99: 1, max: 2 },
  rateKept: true,
  cpuMicros: 100,
};

test("a run counts when every answer is right, and says so when it was sent late", () => {
  const outcome = outcomeOf(result);
  expect(outcome).toEqual({ answers: 600, rate: 300, seconds: 2, p50: 3, p95: 9, p99: 12, rateKept: true });
  expect(noteLateness([outcome])).toEqual([]);
  expect(noteLateness([outcome, outcomeOf({ ...result, rateKept: false })])[0]).toContain("in 1 of 2 runs");
});

test("one failure fails the run, with its kind", () => {
  const failed = { ...result, right: 599, failed: 1, failures: { "GET: 503": 1 } };
  expect(() => outcomeOf(failed)).toThrow("1 of 600 calls failed (1 × GET: 503)");
  expect(() => outcomeOf({ ...result, due: 0, right: 0 })).toThrow();
});
