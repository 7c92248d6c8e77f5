import fc from "fast-check";
import { expect, it } from "vitest";
import { type ScheduleOptions, schedule, scheduledKinds } from "./schedule.ts";

const targets = ["task-1", "consumers-1", "redis", "kafka", "postgres", "envoy"];
const options: ScheduleOptions = { seed: 42, forMs: 60_000, everyMs: 3000, kinds: scheduledKinds, targets };

it("is the same for the same seed, whatever the order of what runs, and another for another", () => {
  expect(schedule({ ...options, targets: [...targets].reverse() })).toEqual(schedule(options));
  expect(schedule({ ...options, seed: 43 })).not.toEqual(schedule(options));
  expect(schedule(options)).toHaveLength(20);
  // The first of a known seed, so that a schedule that was written down still holds.
  expect(schedule(options)[0]).toMatchInlineSnapshot(`
    {
      "atMs": 0,
      "fault": {
        "how": "blackhole",
        "kind": "cut",
        "target": "task-1",
      },
      "forMs": 2722,
    }
  `);
});

it("has ended with its time, and does to each only what can be done to it", () => {
  const kinds = fc.uniqueArray(fc.constantFrom(...scheduledKinds), { minLength: 1 });
  const times = fc.record({ seed: fc.nat(), forMs: fc.integer({ min: 1000, max: 100_000 }), kinds });
  fc.assert(
    fc.property(times, fc.integer({ min: 500, max: 10_000 }), (given, everyMs) => {
      for (const { atMs, fault, forMs = 0 } of schedule({ ...given, everyMs, targets })) {
        expect(atMs + forMs).toBeLessThanOrEqual(given.forMs);
        expect(given.kinds).toContain(fault.kind);
        if (fault.kind === "slow" || fault.kind === "cut") expect(fault.target).not.toBe("consumers-1");
      }
    }),
  );
});

it("hits everything that runs, sooner or later", () => {
  const long = schedule({ ...options, forMs: 600_000 });
  expect(new Set(long.map(({ fault }) => fault.target))).toEqual(new Set(targets));
  expect(new Set(long.map(({ fault }) => fault.kind))).toEqual(new Set(scheduledKinds));
});
