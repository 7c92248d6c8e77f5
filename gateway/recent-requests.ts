import { createHistogram, type EventLoopUtilization, monitorEventLoopDelay, performance } from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";

const periodMs = 30_000;
const lookMs = 20;
const nsPerMs = 1e6;

interface Period {
  startMs: number;
  requests: number;
  /** By the first digit of the status. */
  classes: number[];
  refused: number;
  /** Nanoseconds. */
  durations: ReturnType<typeof createHistogram>;
}

/** How the last half minute to minute went, for whoever has no Prometheus: cheap enough to be kept always. */
export class RecentRequests {
  #before = newPeriod();
  #current = newPeriod();
  #total = 0;
  #active = 0;
  readonly #delay = monitorEventLoopDelay({ resolution: lookMs });
  #utilization: EventLoopUtilization = performance.eventLoopUtilization();

  constructor() {
    this.#delay.enable();
  }

  started(): void {
    this.#active += 1;
  }

  answered(status: number, durationMs: number): void {
    const period = this.#period();
    this.#active -= 1;
    this.#total += 1;
    period.requests += 1;
    period.classes[Math.floor(status / 100)] = (period.classes[Math.floor(status / 100)] ?? 0) + 1;
    if (status === 429) period.refused += 1;
    period.durations.record(Math.max(1, Math.round(durationMs * nsPerMs)));
  }

  /** Numbers for people and simple tools; nothing about any caller. */
  summary() {
    const current = this.#period();
    const before = this.#before;
    const seconds = (performance.now() - before.startMs) / 1000;
    const requests = before.requests + current.requests;
    const durations = createHistogram();
    durations.add(before.durations);
    durations.add(current.durations);
    const share = (digit: number) =>
      requests === 0 ? 0 : ((before.classes[digit] ?? 0) + (current.classes[digit] ?? 0)) / requests;
    const percentile = (percent: number) => (requests === 0 ? 0 : durations.percentile(percent) / nsPerMs);
    return {
      uptimeSeconds: Math.round(process.uptime()),
      requests: { total: this.#total, active: this.#active },
      recent: {
        seconds: rounded(seconds),
        requests,
        perSecond: rounded(requests / seconds),
        clientErrorRate: rounded(share(4)),
        serverErrorRate: rounded(share(5)),
        rateLimited: before.refused + current.refused,
        latencyMs: { p50: rounded(percentile(50)), p95: rounded(percentile(95)), p99: rounded(percentile(99)) },
      },
      memory: {
        heapUsedBytes: process.memoryUsage().heapUsed,
        heapLimitBytes: getHeapStatistics().heap_size_limit,
        residentBytes: process.memoryUsage.rss(),
      },
      eventLoop: this.#eventLoop(),
    };
  }

  #eventLoop() {
    const { utilization } = performance.eventLoopUtilization(this.#utilization);
    // What is measured is the time between two looks.
    const ms = (ns: number) => rounded(Math.max(0, Number.isFinite(ns) ? ns / nsPerMs - lookMs : 0));
    return {
      utilization: rounded(utilization),
      delayMs: { p50: ms(this.#delay.percentile(50)), p99: ms(this.#delay.percentile(99)) },
    };
  }

  #period(): Period {
    if (performance.now() - this.#current.startMs >= periodMs) {
      // After a long silence both lie in the past.
      const isStale = performance.now() - this.#current.startMs >= 2 * periodMs;
      this.#before = isStale ? newPeriod() : this.#current;
      this.#current = newPeriod();
      this.#utilization = performance.eventLoopUtilization();
      this.#delay.reset();
    }
    return this.#current;
  }
}

function newPeriod(): Period {
  return { startMs: performance.now(), requests: 0, classes: [], refused: 0, durations: createHistogram() };
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
