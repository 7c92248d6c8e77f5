import { createNoopMeter, type MeterProvider, type ObservableResult } from "@opentelemetry/api";
import { counter, observe, upDownCounter } from "./metrics.ts";
import type { MetricAttributes } from "./names.ts";

type Processed = MetricAttributes<"otel.sdk.processor.span.processed">;
type Queue = MetricAttributes<"otel.sdk.processor.span.queue.size">;

const processed = counter("otel.sdk.processor.span.processed");
const capacity = upDownCounter("otel.sdk.processor.span.queue.capacity");
const ends = new Map<unknown, () => void>();

/** Where the tracing SDK counts the spans that it sent, lost and holds back; what else it would measure goes nowhere. */
export const sdkMeters: MeterProvider = {
  getMeter: () =>
    Object.assign(createNoopMeter(), {
      createCounter: (name: string) => ({
        add: (value: number, attributes: Processed) =>
          name === "otel.sdk.processor.span.processed" && processed.add(value, attributes),
      }),
      createUpDownCounter: (name: string) => ({
        add: (value: number, attributes: Queue) =>
          name === "otel.sdk.processor.span.queue.capacity" && capacity.add(value, attributes),
      }),
      createObservableUpDownCounter: () => ({
        addCallback: (callback: (result: Pick<ObservableResult, "observe">) => void) =>
          ends.set(
            callback,
            observe("otel.sdk.processor.span.queue.size", (record) =>
              callback({ observe: (value, attributes) => record(value, attributes as Queue) }),
            ),
          ),
        removeCallback: (callback: unknown) => ends.get(callback)?.(),
      }),
    }) as ReturnType<MeterProvider["getMeter"]>,
};
