import { expect, test } from "vitest";
import { Backoff } from "./backoff.ts";

test("a process that keeps dying is started again after 100 ms, then twice as long each time, 5 s at most", () => {
  const backoff = new Backoff();
  expect(Array.from({ length: 8 }, () => backoff.delayAfter(0))).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000]);
});

test("a minute of health starts over, less than that does not", () => {
  const backoff = new Backoff();
  backoff.delayAfter(0);
  backoff.delayAfter(0);
  expect(backoff.delayAfter(59_999)).toBe(400);
  expect(backoff.delayAfter(60_000)).toBe(100);
});
