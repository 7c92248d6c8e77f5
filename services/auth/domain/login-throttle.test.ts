import { expect, it } from "vitest";
import { delayAfter, forgetAfterMs, waitBeforeTry } from "./login-throttle.ts";

it("lets five failures pass, then doubles the delay up to 15 minutes", () => {
  const seconds = Array.from({ length: 18 }, (_, failures) => delayAfter(failures) / 1000);
  expect(seconds).toEqual([0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
  expect(delayAfter(1_000_000)).toBe(900_000);
});

it("tells what is left of the delay", () => {
  const lastTime = new Date(0);
  const wait = (count: number, ms: number) => waitBeforeTry({ count, lastTime }, new Date(ms));
  expect(wait(4, 0)).toBe(0);
  expect([wait(5, 0), wait(5, 999), wait(5, 1000)]).toEqual([1000, 1, 0]);
  expect([wait(6, 1999), wait(6, 2000)]).toEqual([1, 0]);
  expect(wait(50, forgetAfterMs)).toBe(0);
  expect(waitBeforeTry(undefined, lastTime)).toBe(0);
});
