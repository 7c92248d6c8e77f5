import { describe, expect, it } from "vitest";
import { ConcurrencyLimit } from "./concurrency-limit.ts";

// A process and its clock, played: what it can do is known exactly, however busy the machine is that runs this.
const seconds = 20;
const lookMs = 20;
const timeoutMs = 2_000;
const lateMs = 100;

interface Process {
  /** Calls a second. */
  offered: number;
  /** So many the database can do. */
  capacity: number;
  limit: ConcurrencyLimit | undefined;
}

interface Outcome {
  /** Answers in time, a second, and how long they took; once it has had time to find its limit. */
  goodput: number;
  p99: number;
  /** A second. */
  refused: number;
}

const warmUpMs = 5_000;

/** Calls are parsed, wait for one of ten connections of a database, and are answered; the first costs CPU, as a refusal does. */
function run({ offered, capacity, limit }: Process, clock: { now: number }, parseMs: number): Outcome {
  const connections = 10;
  const queryMs = (connections * 1000) / capacity;
  const took: number[] = [];
  let [refused, arrived, lookAt] = [0, 0, lookMs];
  const queue: number[] = [];
  let running: { since: number; endAt: number }[] = [];
  const end = (since: number) => {
    const ms = clock.now - since;
    if (ms <= timeoutMs && since > warmUpMs) took.push(ms);
    limit?.leave(ms, lateMs);
  };
  while (clock.now < seconds * 1000) {
    // One turn of the event loop: timers, then all that has come.
    if (clock.now >= lookAt) {
      limit?.look();
      lookAt = clock.now + lookMs;
    }
    const done = running.filter(({ endAt }) => endAt <= clock.now);
    running = running.filter(({ endAt }) => endAt > clock.now);
    for (const { since } of done) end(since);
    const due = Math.floor((clock.now * offered) / 1000);
    for (; arrived < due; arrived++) {
      const since = (arrived * 1000) / offered;
      if (limit?.hasRoom(1) === false) {
        refused += 1;
        clock.now += parseMs / 10;
      } else {
        limit?.enter();
        queue.push(since);
        clock.now += parseMs;
      }
    }
    while (running.length < connections && queue.length > 0) {
      const since = queue.shift() as number;
      // Who has gone is not served.
      if (clock.now - since > timeoutMs) end(since);
      else running.push({ since, endAt: clock.now + queryMs });
    }
    clock.now += 0.1;
  }
  took.sort((a, b) => a - b);
  return {
    goodput: took.length / (seconds - warmUpMs / 1000),
    p99: took[Math.floor(took.length * 0.99)] ?? 0,
    refused: refused / seconds,
  };
}

describe.each([
  { what: "its database", capacity: 500, parseMs: 0.05 },
  { what: "a slow database", capacity: 150, parseMs: 0.05 },
  { what: "its CPU", capacity: 5_000, parseMs: 1 },
])("a process that is offered three times what $what can do", ({ capacity, parseMs }) => {
  const offered = 3 * Math.min(capacity, 1000 / parseMs);

  it("does nine tenths of that, each in time, and refuses the rest", () => {
    const clock = { now: 0 };
    const limit = new ConcurrencyLimit({ min: 20, max: 1_000, loopDelayMs: 30, now: () => clock.now });
    const { goodput, p99, refused } = run({ offered, capacity, limit }, clock, parseMs);
    limit.close();
    // A refusal is not for nothing.
    const left = (1000 - (refused * parseMs) / 10) / parseMs;
    expect(goodput).toBeGreaterThanOrEqual(0.9 * Math.min(capacity, left));
    expect(p99).toBeLessThan(200);
  });

  it("would do nothing in time without a limit", () => {
    expect(run({ offered, capacity, limit: undefined }, { now: 0 }, parseMs)).toMatchObject({ goodput: 0, refused: 0 });
  });
});
