import { metrics } from "@opentelemetry/api";
import { MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";
import type { TelemetryConfig } from "./config.ts";
import { observeProcess } from "./process-metrics.ts";
import { resourceOf } from "./resource.ts";

/** Read on demand by the admin page; nothing is pushed. */
class PullReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

/** Starts the meters. `render` answers in Prometheus' text format. */
export function startMetrics(resource: TelemetryConfig["resource"]) {
  const reader = new PullReader();
  const provider = new MeterProvider({ resource: resourceOf(resource), readers: [reader] });
  metrics.setGlobalMeterProvider(provider);
  const stopObserving = observeProcess();

  const render = async (): Promise<string> => {
    const { PrometheusSerializer } = await import("@opentelemetry/exporter-prometheus");
    const { resourceMetrics } = await reader.collect();
    return `${new PrometheusSerializer(undefined, false, undefined, false, true).serialize(resourceMetrics).trimEnd()}\n`;
  };
  const stop = async (): Promise<void> => {
    stopObserving();
    await provider.shutdown();
  };
  return { render, stop };
}
