import { describe, expect, it } from "vitest";
import { type Measured, marksOf } from "./marks.ts";

const mebibyte = 2 ** 20;
const memory = (...sizes: number[]) =>
  sizes.map((size, at) => ({ name: `task-${at + 1}`, resident: size * mebibyte, share: size * mebibyte }));

/** A machine on which every number is kept, if only just. */
function machine(): Measured {
  const taken = {
    processes: memory(90, 100),
    connections: new Map([
      ["task-1", 5],
      ["user-1", 4],
    ]),
    full: { rate: 2000, cpu: 1 },
  };
  const offered = { errors: 0, mean: 49, p95: 120, p99: 199 };
  return {
    one: { users: 1000, rate: 500, answered: 500, ...offered, ...taken },
    three: { users: 10_000, rate: 1500, answered: 1500, ...offered, ...taken, full: { rate: 2000, cpu: 1.1 } },
    most: { users: 10_000, rate: 5000, answered: 5000, ...offered, errors: 0.0009, p95: 199, ...taken },
    redisReads: 10_000,
  };
}

const missed = (measured: Measured) =>
  marksOf(measured)
    .filter(({ isMet }) => !isMet)
    .map(({ row, what }) => `${row} ${what}`);

describe("the numbers that the mesh is held to", () => {
  it("each have a line in the bench [001.21] [001.22] [002.17] [002.18] [004.01] [004.22]", () => {
    const rows = Map.groupBy(marksOf(machine()), ({ row }) => row);
    const told = [...rows].map(([row, marks]) => [row, marks.map(({ what, goal }) => `${what} ${goal}`)]);
    expect(Object.fromEntries(told)).toEqual({
      "001.21": [
        "users ≥ 1000",
        "right answers a second ≥ 500",
        "mean of an answer, ms < 50",
        "p99 of an answer, ms < 200",
      ],
      "001.22": ["users ≥ 10000", "right answers a second ≥ 1500"],
      "002.17": [
        "right answers a second ≥ 500",
        "mean of an answer, ms < 100",
        "memory of the largest process, MiB ≤ 100",
        "connections of a process to its database ≤ 5",
      ],
      "002.18": [
        "CPU of a call with three instances, times that with one ≤ 1.1",
        "instances that the connections of a service are enough for ≥ 10",
        "reads a second of Redis ≥ 10000",
      ],
      "004.01": [
        "users ≥ 10000",
        "right answers a second ≥ 5000",
        "p95 of an answer, ms < 200",
        "calls that failed, % < 0.1",
      ],
      "004.22": [
        "users ≥ 10000",
        "mean of an answer, ms < 200",
        "memory of the largest process, MiB ≤ 512",
        "connections of a service to its database ≤ 100",
      ],
    });
    expect(missed(machine())).toEqual([]);
  });

  it("are missed by what is just beyond them", () => {
    const { one, three, most, redisReads } = machine();
    expect(missed({ one: { ...one, users: 999, answered: 499, mean: 50, p99: 200 }, three, most, redisReads })).toEqual(
      [
        "001.21 users",
        "001.21 right answers a second",
        "001.21 mean of an answer, ms",
        "001.21 p99 of an answer, ms",
        "002.17 right answers a second",
      ],
    );
    const large = { processes: memory(101), connections: new Map([["task-1", 6]]) };
    expect(missed({ one: { ...one, ...large }, three, most, redisReads: 9999 })).toEqual([
      "002.17 memory of the largest process, MiB",
      "002.17 connections of a process to its database",
      "002.18 reads a second of Redis",
    ]);
    expect(missed({ one, three, most: { ...most, answered: 4999, p95: 200, errors: 0.001 }, redisReads })).toEqual([
      "004.01 right answers a second",
      "004.01 p95 of an answer, ms",
      "004.01 calls that failed, %",
    ]);
  });

  it("count the connections of a service over its instances", () => {
    const { one, three, most, redisReads } = machine();
    const connections = new Map([...Array(11).keys()].map((at) => [`task-${at + 1}`, 10]));
    expect(missed({ one, three: { ...three, connections }, most, redisReads })).toEqual([
      "004.22 connections of a service to its database",
    ]);
    const wide = new Map([["task-1", 11]]);
    expect(missed({ one, three: { ...three, connections: wide }, most, redisReads })).toEqual([
      "002.18 instances that the connections of a service are enough for",
    ]);
  });
});
