import { describe, expect, test } from "vitest";
import type { LagMetric, Policy } from "./policy.ts";
import { ProcessScaler } from "./process-scaler.ts";
import { lagMetric } from "./testing.ts";

const usual: Policy = {
  process: "consumers",
  kind: "ScaledObject",
  file: "test.yaml",
  min: 1,
  max: 10,
  everyMs: 1000,
  metrics: [lagMetric],
  up: { windowMs: 0, select: "Max", rules: [] },
  down: { windowMs: 10_000, select: "Max", rules: [] },
};

/** A scaler over a world that the test moves. */
function stage({ room = 100, policy = usual } = {}) {
  const world = { replicas: 1, now: 0, lags: [] as [committed: number, lag: number][] };
  const scaler = new ProcessScaler(policy, {
    instancesOf: () =>
      Array.from({ length: world.replicas }, (_, n) => ({ name: `c-${n}`, pid: undefined, status: "ready" as const })),
    lag: async () =>
      world.lags.map(([committed, lag], partition) => ({
        group: "email",
        topic: "deliveries",
        partition,
        committed,
        lag,
        end: committed + lag,
        instance: "c-0",
      })),
    room: () => room,
    now: () => world.now,
  });
  const turn = async (lags: [number, number][]) => {
    world.lags = lags;
    const decision = await scaler.decide();
    scaler.done(decision, decision.to - decision.from);
    world.replicas = decision.to;
    world.now += 1000;
    return decision;
  };
  return { turn };
}

test("follows a backlog up and, once the window agrees, down again: one turn", async () => {
  const { turn } = stage();
  const counts: number[] = [];
  for (const left of [400, 300, 200, 100, ...Array<number>(12).fill(0)]) {
    const each: [number, number][] = Array.from({ length: 6 }, () => [1000 - left, left]);
    counts.push((await turn(each)).to);
  }
  expect(counts.slice(0, 13)).toEqual(Array(13).fill(6));
  expect(counts.at(-1)).toBe(1);
  expect(counts.filter((count, index) => index > 0 && count !== counts[index - 1])).toEqual([1]);
});

test("a hot partition is work for one, a stuck one for nobody", async () => {
  const { turn } = stage();
  const hot: [number, number][] = [
    [10, 5000],
    [10, 0],
  ];
  expect(await turn(hot)).toMatchObject({ to: 1, reason: expect.stringContaining("1 partitions with lag") });
  for (let look = 0; look < 9; look++) expect(await turn(hot)).toMatchObject({ to: 1, wished: 1 });
  expect(await turn(hot)).toMatchObject({ wished: 0, reason: expect.stringContaining("stuck partitions 0") });
});

test("says in its reason when the machine bears no more", async () => {
  const { turn } = stage({ room: 2 });
  const decision = await turn(Array.from({ length: 6 }, () => [0, 400]));
  expect(decision).toMatchObject({ from: 1, to: 3, wished: 6 });
  expect(decision.reason).toBe(
    "lag of email in deliveries 2400 of 100 for each (6 partitions with lag); asks for 6, the machine bears no more",
  );
});

describe("what the proof is worth: it turns red", () => {
  const metric = usual.metrics[0] as LagMetric;
  /** The numbers of instances while a lag comes and goes at every look, and then while one partition is hot. */
  const flapping = async (policy: Policy) => {
    const { turn } = stage({ policy });
    const counts: number[] = [];
    for (let look = 0; look < 40; look++) {
      const lag = look % 2 === 0 ? 400 : 0;
      counts.push((await turn(Array.from({ length: 6 }, () => [look, lag]))).to);
    }
    return counts.filter((count, index) => index > 0 && count !== counts[index - 1]).length;
  };
  const hot = async (policy: Policy) => {
    const { turn } = stage({ policy });
    return (await turn([[10, 5000]])).to;
  };

  test("when the window is taken out: they flap", async () => {
    expect(await flapping(usual)).toBe(0);
    expect(await flapping({ ...usual, down: { ...usual.down, windowMs: 0 } })).toBeGreaterThan(30);
  });

  test("when the limit to partitions with lag is taken out: a hot one drives all of them up", async () => {
    expect(await hot(usual)).toBe(1);
    expect(await hot({ ...usual, metrics: [{ ...metric, limitToPartitionsWithLag: false }] })).toBe(10);
  });
});
