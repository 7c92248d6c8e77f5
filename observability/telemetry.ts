import type { TelemetryConfig } from "./config.ts";
import type { MetricsFormat } from "./exposition.ts";

type Stop = () => Promise<unknown>;

const flushLimitMs = 2000;
const running: Stop[] = [];
let renderer: ((format?: MetricsFormat) => Promise<string>) | undefined;

/**
 * Starts what the configuration asks for. The SDKs are loaded only when they are used: a process without a collector
 * and an admin page pays for the API alone.
 */
export async function startTelemetry(config: TelemetryConfig): Promise<void> {
  const { startPropagation } = await import("./propagation.ts");
  startPropagation();
  if (config.metrics) {
    const { startMetrics } = await import("./metrics-sdk.ts");
    const metrics = startMetrics(config.resource);
    renderer = metrics.render;
    running.push(metrics.stop);
  }
  if (config.traces) {
    const { startTraces } = await import("./traces-sdk.ts");
    running.push(startTraces(config.resource, config.traces));
  }
}

/** The metrics of this process, in Prometheus' text format 0.0.4 unless told otherwise; undefined when they are off. */
export async function renderMetrics(format?: MetricsFormat): Promise<string | undefined> {
  return renderer?.(format);
}

/** Sends the spans that are still in memory, for at most 2 seconds. The last thing that a process does; never throws. */
export async function shutdownTelemetry(): Promise<void> {
  const limit = Promise.withResolvers<void>();
  const timer = setTimeout(limit.resolve, flushLimitMs);
  await Promise.race([Promise.allSettled(running.splice(0).map((stop) => stop())), limit.promise]);
  clearTimeout(timer);
}
