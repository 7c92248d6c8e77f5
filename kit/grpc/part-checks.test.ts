import { describe, expect, test, vi } from "vitest";
import { Parts } from "./part-checks.ts";

describe("parts of a server", () => {
  test("are there, away, or unknown", async () => {
    const parts = new Parts({ database: () => "pong", redis: () => Promise.reject(new Error("away")) });
    expect(await parts.isThere("database")).toBe(true);
    expect(await parts.isThere("redis")).toBe(false);
    expect(await parts.isThere("kafka")).toBeUndefined();
    expect(await parts.isThere("toString")).toBeUndefined();
  });

  test("a check that throws at once is a part that is away", async () => {
    const parts = new Parts({
      database: () => {
        throw new Error("no pool");
      },
    });
    expect(await parts.isThere("database")).toBe(false);
  });

  test("one that hangs counts as away after half a second, and is asked no more often than four times a second", async () => {
    vi.useFakeTimers();
    try {
      const check = vi.fn(() => new Promise(() => {}));
      const parts = new Parts({ database: check });
      const answers = [1, 2, 3].map(() => parts.isThere("database"));
      await vi.advanceTimersByTimeAsync(500);
      expect(await Promise.all(answers)).toEqual([false, false, false]);
      expect(await parts.isThere("database")).toBe(false);
      expect(check).toHaveBeenCalledTimes(1);
      await vi.advanceTimersByTimeAsync(250);
      void parts.isThere("database");
      expect(check).toHaveBeenCalledTimes(2);
      await vi.advanceTimersByTimeAsync(500);
    } finally {
      vi.useRealTimers();
    }
  });
});
