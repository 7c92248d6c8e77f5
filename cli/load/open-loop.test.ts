import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { openLoop, timetableOf } from "./open-loop.ts";

describe("the timetable", () => {
  test("is even within a phase, and goes on with the next rate", () => {
    const { count, seconds, dueAt } = timetableOf([
      { rate: 100, seconds: 3 },
      { rate: 200, seconds: 6 },
    ]);
    expect([count, seconds]).toEqual([1500, 9]);
    expect([0, 1, 299, 300, 301, 1499].map(dueAt)).toEqual([0, 10, 2990, 3000, 3005, 8995]);
  });
});

describe("an open loop", () => {
  test("sends every request at its time, and counts what came of each by kind", async () => {
    const seen: number[] = [];
    const result = await openLoop({
      phases: [{ rate: 200, seconds: 0.5 }],
      send: async (index) => {
        seen.push(index);
        return index % 10 === 0 ? "503" : index === 5 ? "wrong body" : undefined;
      },
    });
    expect(seen).toEqual(Array.from({ length: 100 }, (_, index) => index));
    expect(result).toMatchObject({ due: 100, right: 89, failed: 11, failures: { 503: 10, "wrong body": 1 } });
  });

  test("makes a stall of the server seen by all that were due in it, not by one", async () => {
    const begin = performance.now();
    const stallMs = 400;
    // Nothing is answered before the stall is over.
    const send = async () => void (await sleep(Math.max(0, begin + stallMs - performance.now())));
    const { latency, right } = await openLoop({ phases: [{ rate: 100, seconds: 0.4 }], send });
    expect(right).toBe(40);
    // Evenly due over the stall, they waited half of it on average; a closed loop would have sent one.
    expect(latency.mean).toBeGreaterThan(stallMs / 4);
    expect(latency.max).toBeGreaterThan(stallMs * 0.9);
  });

  test("does not send more than may be under way, and counts the rest as failures", async () => {
    const done = Promise.withResolvers<undefined>();
    const running = openLoop({ phases: [{ rate: 100, seconds: 0.2 }], send: () => done.promise, mostUnderWay: 5 });
    await sleep(300);
    done.resolve(undefined);
    const { right, failures, rateKept } = await running;
    expect([right, failures, rateKept]).toEqual([5, { "not sent: too many under way": 15 }, false]);
  });

  test("ends early when it is told to, and still waits for the answers", async () => {
    const stop = new AbortController();
    const send = async (index: number) => {
      if (index === 3) stop.abort();
      await sleep(20);
      return undefined;
    };
    const { right, seconds } = await openLoop({ phases: [{ rate: 100, seconds: 60 }], send, signal: stop.signal });
    expect(right).toBeGreaterThanOrEqual(4);
    expect(seconds).toBeLessThan(30);
  });
});
