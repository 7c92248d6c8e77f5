import { createHistogram, type RecordableHistogram } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";

/** So many requests a second for so many seconds. */
export interface Phase {
  rate: number;
  seconds: number;
}

export interface OpenLoopOptions {
  phases: readonly Phase[];
  /** Makes one request: undefined when its answer was right, else what kind of failure it was. Must not reject. */
  send(index: number): Promise<string | undefined>;
  /** More than this under way at once are not sent, and count as failures: nobody waits for those any more. */
  mostUnderWay?: number;
  /** Ends it early: what is due later is not sent. */
  signal?: AbortSignal;
  onSecond?: (second: SecondOfLoad) => void;
}

/** Milliseconds from when a request was due until its whole answer was there. */
export interface Latency {
  p50: number;
  p95: number;
  p99: number;
  p999: number;
  max: number;
  mean: number;
}

export interface SecondOfLoad {
  second: number;
  right: number;
  failed: number;
  underWay: number;
  p99: number;
}

export interface LoadResult {
  /** How long requests were due for. */
  seconds: number;
  due: number;
  right: number;
  failed: number;
  /** Failures by kind. */
  failures: Record<string, number>;
  /** Right answers a second. */
  rate: number;
  /** Of right answers only. */
  latency: Latency;
  /** How late requests were sent, in milliseconds: what the generator itself was behind. */
  lateness: { p99: number; max: number };
  /** Whether every request was sent, 99 of 100 within 50 ms of their time. */
  rateKept: boolean;
  /** CPU time of this process for each request, in microseconds. */
  cpuMicros: number;
}

const mostLate = 50;

/**
 * Sends every request at its time, whether those before it were answered or not, as users do who know nothing of each
 * other. Latency counts from when a request was due, so that a stall is seen by all that fell into it.
 */
export async function openLoop(options: OpenLoopOptions): Promise<LoadResult> {
  const { phases, signal } = options;
  const timetable = timetableOf(phases);
  const run = new Run(options);
  const cpu = process.cpuUsage();
  const begin = performance.now();
  const ticker = setInterval(() => run.second(), 1000);
  let next = 0;
  while (next < timetable.count && !signal?.aborted) {
    const now = performance.now() - begin;
    while (next < timetable.count && timetable.dueAt(next) <= now) {
      run.launch(next, begin + timetable.dueAt(next));
      next++;
    }
    await sleep(Math.max(1, timetable.dueAt(next) - (performance.now() - begin)), undefined, { ref: true });
  }
  const seconds = (performance.now() - begin) / 1000;
  await run.settled();
  clearInterval(ticker);
  const { user, system } = process.cpuUsage(cpu);
  return run.result(Math.min(seconds, timetable.seconds), (user + system) / Math.max(1, next));
}

/** When each request is due, in milliseconds from the start: evenly within a phase. */
export function timetableOf(phases: readonly Phase[]) {
  const parts: { first: number; start: number; rate: number }[] = [];
  let [count, start] = [0, 0];
  for (const { rate, seconds } of phases) {
    parts.push({ first: count, start, rate });
    count += Math.round(rate * seconds);
    start += seconds * 1000;
  }
  const dueAt = (index: number): number => {
    const part = parts.findLast(({ first }) => first <= index);
    return part === undefined ? 0 : part.start + ((index - part.first) * 1000) / part.rate;
  };
  return { count, seconds: start / 1000, dueAt };
}

class Run {
  readonly #options: OpenLoopOptions;
  readonly #latency = micros();
  readonly #lateness = micros();
  readonly #lastSecond = micros();
  readonly #failures = new Map<string, number>();
  readonly #idle = Promise.withResolvers<void>();
  #seconds = 0;
  #before = { right: 0, failed: 0 };
  #underWay = 0;
  #right = 0;
  #failed = 0;
  #closed = false;

  constructor(options: OpenLoopOptions) {
    this.#options = options;
  }

  launch(index: number, dueAt: number): void {
    const { send, mostUnderWay = 2000 } = this.#options;
    record(this.#lateness, performance.now() - dueAt);
    if (this.#underWay >= mostUnderWay) {
      this.#fail("not sent: too many under way");
      return;
    }
    this.#underWay++;
    void send(index).then((failure) => {
      this.#underWay--;
      if (failure === undefined) {
        this.#right++;
        const took = performance.now() - dueAt;
        record(this.#latency, took);
        record(this.#lastSecond, took);
      } else this.#fail(failure);
      if (this.#closed && this.#underWay === 0) this.#idle.resolve();
    });
  }

  second(): void {
    const { onSecond } = this.#options;
    onSecond?.({
      second: ++this.#seconds,
      right: this.#right - this.#before.right,
      failed: this.#failed - this.#before.failed,
      underWay: this.#underWay,
      p99: inMs(this.#lastSecond.percentile(99)),
    });
    this.#before = { right: this.#right, failed: this.#failed };
    this.#lastSecond.reset();
  }

  /** Resolves when every request has been answered or has failed. */
  settled(): Promise<void> {
    this.#closed = true;
    if (this.#underWay === 0) this.#idle.resolve();
    return this.#idle.promise;
  }

  result(seconds: number, cpuMicros: number): LoadResult {
    const at = (share: number) => inMs(this.#latency.percentile(share));
    const due = this.#right + this.#failed;
    const lateness = { p99: inMs(this.#lateness.percentile(99)), max: inMs(this.#lateness.max) };
    const isEmpty = this.#right === 0;
    return {
      seconds: rounded(seconds),
      due,
      right: this.#right,
      failed: this.#failed,
      failures: Object.fromEntries(this.#failures),
      rate: rounded(this.#right / Math.max(seconds, 0.001)),
      latency: {
        p50: at(50),
        p95: at(95),
        p99: at(99),
        p999: at(99.9),
        max: isEmpty ? 0 : inMs(this.#latency.max),
        mean: isEmpty ? 0 : inMs(this.#latency.mean),
      },
      lateness,
      rateKept: lateness.p99 <= mostLate && !this.#failures.has("not sent: too many under way"),
      cpuMicros: Math.round(cpuMicros),
    };
  }

  #fail(kind: string): void {
    this.#failed++;
    this.#failures.set(kind, (this.#failures.get(kind) ?? 0) + 1);
  }
}

/** Three figures from a microsecond to ten minutes. */
function micros(): RecordableHistogram {
  return createHistogram({ lowest: 1, highest: 600_000_000, figures: 3 });
}

function record(histogram: RecordableHistogram, ms: number): void {
  histogram.record(Math.min(600_000_000, Math.max(1, Math.round(ms * 1000))));
}

function inMs(value: number): number {
  return rounded(value / 1000);
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
