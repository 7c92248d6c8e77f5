import type { TelemetryConfig } from "./config.ts";
import type { MetricsFormat } from "./exposition.ts";
import { setMeter } from "./metrics.ts";
import { observeProcess } from "./process-metrics.ts";
import { PrometheusMeter } from "./prometheus-meter.ts";
import { resourceOf } from "./resource.ts";

/** Starts the meters. `render` answers in Prometheus' text format 0.0.4, or in OpenMetrics with exemplars. */
export function startMetrics(resource: TelemetryConfig["resource"]) {
  const meter = new PrometheusMeter(resourceOf(resource).attributes as Record<string, string>);
  setMeter(meter);
  const stopObserving = observeProcess();
  const render = async (format: MetricsFormat = "text"): Promise<string> => meter.render(format);
  const stop = async (): Promise<void> => {
    stopObserving();
    setMeter(undefined);
  };
  return { render, stop };
}
