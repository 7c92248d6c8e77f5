import { constants, monitorEventLoopDelay, PerformanceObserver, performance } from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";
import { histogram, observe } from "./metrics.ts";

const gcKinds: Record<number, string> = {
  [constants.NODE_PERFORMANCE_GC_MINOR]: "minor",
  [constants.NODE_PERFORMANCE_GC_MAJOR]: "major",
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: "incremental",
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: "weakcb",
};

/** Observes event loop, heap, garbage collection and CPU time. Answers with what ends it. */
export function observeProcess(): () => void {
  const ends = [observeEventLoop(), observeGc(), ...observeMemory()];
  return () => {
    for (const end of ends) end();
  };
}

function observeEventLoop(): () => void {
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  let last = performance.eventLoopUtilization();
  const ends = [
    observe("nodejs.eventloop.delay.p50", (record) => record(delay.percentile(50) / 1e9)),
    observe("nodejs.eventloop.delay.p99", (record) => record(delay.percentile(99) / 1e9)),
    observe("nodejs.eventloop.delay.max", (record) => {
      record(delay.max / 1e9);
      // Callbacks run in the order of their making: this is the last one that reads, so each reading starts afresh.
      delay.reset();
    }),
    observe("nodejs.eventloop.utilization", (record) => {
      const now = performance.eventLoopUtilization();
      record(performance.eventLoopUtilization(now, last).utilization);
      last = now;
    }),
  ];
  return () => {
    delay.disable();
    for (const end of ends) end();
  };
}

function observeGc(): () => void {
  const duration = histogram("v8js.gc.duration");
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { kind } = (entry as unknown as { detail: { kind: number } }).detail;
      duration.record(entry.duration / 1e3, { "v8js.gc.type": gcKinds[kind] ?? "other" });
    }
  });
  observer.observe({ entryTypes: ["gc"] });
  return () => observer.disconnect();
}

function observeMemory(): Array<() => void> {
  return [
    observe("v8js.memory.heap.used", (record) => record(getHeapStatistics().used_heap_size)),
    observe("v8js.memory.heap.limit", (record) => record(getHeapStatistics().heap_size_limit)),
    observe("process.memory.usage", (record) => record(process.memoryUsage.rss())),
    observe("process.cpu.time", (record) => {
      const { user, system } = process.cpuUsage();
      record((user + system) / 1e6);
    }),
    observe("process.uptime", (record) => record(process.uptime())),
  ];
}
