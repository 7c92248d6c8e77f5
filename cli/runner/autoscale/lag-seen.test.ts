import { expect, test } from "vitest";
import type { GroupLag } from "#kit/events/lag.ts";
import { type LagMemory, seeLag } from "./lag-seen.ts";
import { lagMetric as metric } from "./testing.ts";

type Rows = [partition: number, committed: number | undefined, lag: number, instance?: string][];
const lags = (rows: Rows) =>
  rows.map(
    ([partition, committed, lag, instance = "consumers-1"]): GroupLag => ({
      group: "email",
      topic: "deliveries",
      partition,
      committed,
      lag,
      instance,
      end: (committed ?? 0) + lag,
    }),
  );

const patienceMs = 10_000;

/** What is seen the last time, after all the looks before it, each so many milliseconds after the other. */
function look(rows: ReturnType<typeof lags>[], everyMs = patienceMs) {
  let memory: LagMemory = new Map();
  let found = { total: 0, partitions: 0, stuck: [] as readonly number[] };
  for (const [index, row] of rows.entries()) {
    ({ seen: found, memory } = seeLag(metric, row, memory, { now: index * everyMs, patienceMs }));
  }
  return found;
}

test("sums up what is there in the one group and topic", () => {
  const [place] = lags([[0, 0, 1000]]) as [ReturnType<typeof lags>[0]];
  const others = [
    { ...place, group: "notification" },
    { ...place, topic: "other" },
  ];
  const own = lags([
    [0, 5, 30],
    [1, 5, 0],
    [2, 5, 12],
  ]);
  expect(look([[...own, ...others]])).toEqual({ total: 42, partitions: 2, stuck: [] });
});

test("leaves out a partition that stands still while its lag stays, and takes it in again once it moves", () => {
  const first = lags([
    [0, 5, 500],
    [1, 5, 80],
  ]);
  const second = lags([
    [0, 5, 520],
    [1, 40, 45],
  ]);
  expect(look([first])).toEqual({ total: 580, partitions: 2, stuck: [] });
  expect(look([first, second])).toEqual({ total: 45, partitions: 1, stuck: [0] });
  expect(look([first, second, lags([[0, 6, 519]])])).toEqual({ total: 519, partitions: 1, stuck: [] });
});

test("does not take one for stuck that only is not done with its event by the next look", () => {
  const still = lags([[0, 5, 500]]);
  expect(look(Array(10).fill(still), 1000).stuck).toEqual([]);
  expect(look(Array(11).fill(still), 1000).stuck).toEqual([0]);
});

test("knows a partition as stuck that never committed anything", () => {
  const still = lags([[0, undefined, 50]]);
  expect(look([still, still])).toEqual({ total: 0, partitions: 0, stuck: [0] });
});

test("gives a partition that has changed hands, or has nobody, the time to move", () => {
  expect(look([lags([[0, 5, 50]]), lags([[0, 5, 50, "consumers-2"]])]).total).toBe(50);
  const unowned = lags([[0, 5, 50]]).map((place) => ({ ...place, instance: undefined }));
  expect(look([unowned, unowned]).total).toBe(50);
});

test("counts new events where nothing was waiting before", () => {
  expect(look([lags([[0, 5, 0]]), lags([[0, 5, 50]])])).toEqual({ total: 50, partitions: 1, stuck: [] });
});

test("counts stuck partitions where the file does not leave them out", () => {
  const rows = lags([[0, 5, 50]]);
  const { memory } = seeLag(metric, rows, new Map(), { now: 0, patienceMs });
  const later = { now: patienceMs, patienceMs };
  expect(seeLag(metric, rows, memory, later).seen.total).toBe(0);
  expect(seeLag({ ...metric, excludePersistentLag: false }, rows, memory, later).seen.total).toBe(50);
});
