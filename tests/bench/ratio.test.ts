import { expect, test } from "vitest";
import type { Outcome } from "./load.ts";
import { answersOf, ratioOf } from "./ratio.ts";

function outcome(rate: number): Outcome {
  return { answers: rate * 2, rate, seconds: 2, p50: 1, p99: 2 };
}

test("the sides take turns, the first round only warms up, and the ratio is the median of the rounds' ratios", async () => {
  const order: string[] = [];
  const rates = { ours: [999, 10, 40, 30], peer: [1, 100, 80, 200] };
  const side = (name: "ours" | "peer") => async (counted: boolean) => {
    order.push(`${name}${counted ? "" : " (warm-up)"}`);
    return outcome(rates[name].shift() ?? Number.NaN);
  };
  const seen: number[] = [];
  const ratio = await ratioOf({
    ours: side("ours"),
    peer: side("peer"),
    effort: { rounds: 3, seconds: 2, warmUp: { answers: 1, seconds: 60 } },
    onRound: (round) => seen.push(round),
  });
  expect(order).toEqual(["ours (warm-up)", "peer (warm-up)", ...Array(3).fill(["ours", "peer"]).flat()]);
  expect(seen).toEqual([0, 1, 2, 3]);
  // 0.1, 0.5 and 0.15: the ratio of the median rates would be 0.3.
  expect(ratio.median).toBe(0.15);
  expect(ratio.spread.map((value) => value.toFixed(3))).toEqual(["0.125", "0.325"]);
  expect([ratio.ours.rate, ratio.peer.rate]).toEqual([30, 100]);
  expect(answersOf(ratio, "ours")).toBe(160);
});

test("what is compared may be another thing than the rate, and the runs shown are the middle ones by that", async () => {
  const p99 = { ours: [0, 30, 10, 20], peer: [0, 10, 10, 40] };
  const side = (name: "ours" | "peer") => async () => ({ ...outcome(300), p99: p99[name].shift() ?? Number.NaN });
  const effort = { rounds: 3, seconds: 2, warmUp: { answers: 1, seconds: 60 } };
  const ratio = await ratioOf({
    ours: side("ours"),
    peer: side("peer"),
    effort,
    of: (run) => run.p99,
    onRound: () => {},
  });
  expect(ratio.rounds.map((round) => round.ratio)).toEqual([3, 1, 0.5]);
  expect([ratio.median, ratio.ours.p99, ratio.peer.p99]).toEqual([1, 20, 10]);
});

test("a side warms up until it has given enough answers or has had its time, each for itself", async () => {
  const runs = { ours: 0, peer: 0 };
  const side = (name: "ours" | "peer", rate: number) => async (counted: boolean) => {
    if (!counted) runs[name]++;
    return outcome(rate);
  };
  const effort = { rounds: 1, seconds: 2, warmUp: { answers: 1000, seconds: 11 } };
  await ratioOf({ ours: side("ours", 1), peer: side("peer", 200), effort, onRound: () => {} });
  expect(runs).toEqual({ ours: 6, peer: 3 });
});
