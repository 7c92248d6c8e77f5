import { describe, expect, test } from "vitest";
import { byLag, byUtilization, highest } from "./desired.ts";
import type { ResourceMetric } from "./policy.ts";
import { lagMetric as lag } from "./testing.ts";

const cpu: ResourceMetric = { kind: "cpu", target: 70, request: 0.25 };
/** Cores that make so many percent of the request. */
const percent = (...shares: (number | undefined)[]) => shares.map((share) => share && (share * cpu.request) / 100);
const seen = (total: number, partitions: number, stuck: number[] = []) => ({ total, partitions, stuck });

describe("utilization", () => {
  test.each([
    ["twice the target doubles them", percent(140, 140), 4],
    ["half of it halves them", percent(35, 35, 35, 35), 2],
    ["up to a tenth beside the target changes nothing", percent(76, 76), 2],
    ["and neither does a tenth below", percent(64, 64), 2],
    ["the mean counts, not the busiest", percent(140, 0), 2],
    ["a part of one more is one more", percent(80, 80, 80), 4],
  ])("%s", (_title, used, replicas) => {
    expect(byUtilization(cpu, used).replicas).toBe(replicas);
  });

  test("one that has just started drives no change, neither up nor down", () => {
    expect(byUtilization(cpu, percent(140, undefined)).replicas).toBe(2);
    expect(byUtilization(cpu, percent(210, undefined)).replicas).toBe(3);
    expect(byUtilization(cpu, percent(10, undefined)).replicas).toBe(2);
    expect(byUtilization(cpu, percent(undefined, undefined))).toMatchObject({ replicas: 2, value: undefined });
  });
});

describe("lag", () => {
  test.each([
    ["each replica has the threshold before it", seen(430, 12), 1, 5],
    ["no more of them than partitions with lag", seen(5000, 3), 1, 3],
    ["one hot partition is work for one", seen(5000, 1), 1, 1],
    ["nothing to do is work for none", seen(0, 0), 4, 0],
    ["a tenth beside the threshold changes nothing", seen(430, 12), 4, 4],
    ["unless that were more than partitions with lag", seen(1000, 10), 11, 10],
  ])("%s", (_title, found, current, replicas) => {
    expect(byLag(lag, found, current).replicas).toBe(replicas);
  });

  test("without that limit, a hot partition takes as many as its lag says", () => {
    expect(byLag({ ...lag, limitToPartitionsWithLag: false }, seen(500, 1), 1).replicas).toBe(5);
  });

  test("says what held it", () => {
    expect(byLag(lag, seen(5000, 3, [7]), 1).note).toBe("3 partitions with lag; without the stuck partitions 7");
    expect(byLag(lag, seen(250, 12), 1).note).toBeUndefined();
  });
});

test("of two metrics the one that asks for more decides", () => {
  const memory: ResourceMetric = { kind: "memory", target: 80, request: 256 };
  const both = [byUtilization(cpu, percent(35, 35)), byUtilization(memory, [410, 410])];
  expect(both.map(({ replicas }) => replicas)).toEqual([1, 5]);
  expect(highest(both)).toMatchObject({ metric: "memory", replicas: 5 });
});
