import { metrics as api, type Meter, type ObservableResult } from "@opentelemetry/api";
import { describeMetric, type MetricAttributes, type MetricName, type MetricOf } from "./names.ts";

type Values = Record<string, string>;

/** Made on first use, so that a module may declare its instruments before telemetry has started. */
function lazily<I>(create: (meter: Meter) => I): () => I {
  let instrument: I | undefined;
  return () => {
    instrument ??= create(api.getMeter("taskmesh"));
    return instrument;
  };
}

function optionsOf(name: MetricName) {
  const { description, unit, buckets } = describeMetric(name);
  return { description, unit, advice: buckets && { explicitBucketBoundaries: [...buckets] } };
}

export interface Counter<N extends MetricName> {
  add(value: number, attributes?: MetricAttributes<N>): void;
}
export interface Recorder<N extends MetricName> {
  record(value: number, attributes?: MetricAttributes<N>): void;
}

/** A number that only grows. */
export function counter<N extends MetricOf<"counter">>(name: N): Counter<N> {
  const instrument = lazily((meter) => meter.createCounter(name, optionsOf(name)));
  return { add: (value, attributes) => instrument().add(value, attributes as Values) };
}

/** A number of things that come and go. */
export function upDownCounter<N extends MetricOf<"upDownCounter">>(name: N): Counter<N> {
  const instrument = lazily((meter) => meter.createUpDownCounter(name, optionsOf(name)));
  return { add: (value, attributes) => instrument().add(value, attributes as Values) };
}

/** A distribution, in the unit of its table entry; durations are in seconds. */
export function histogram<N extends MetricOf<"histogram">>(name: N): Recorder<N> {
  const instrument = lazily((meter) => meter.createHistogram(name, optionsOf(name)));
  return { record: (value, attributes) => instrument().record(value, attributes as Values) };
}

/** A value that is set whenever it is known. */
export function gauge<N extends MetricOf<"gauge">>(name: N): Recorder<N> {
  const instrument = lazily((meter) => meter.createGauge(name, optionsOf(name)));
  return { record: (value, attributes) => instrument().record(value, attributes as Values) };
}

/** A value that is asked for when somebody reads the metrics. Answers with what ends the asking. */
export function observe<N extends MetricOf<"observed" | "observedCounter">>(
  name: N,
  read: (record: (value: number, attributes?: MetricAttributes<N>) => void) => void,
): () => void {
  const meter = api.getMeter("taskmesh");
  const instrument =
    describeMetric(name).kind === "observedCounter"
      ? meter.createObservableCounter(name, optionsOf(name))
      : meter.createObservableGauge(name, optionsOf(name));
  const callback = (result: ObservableResult) =>
    read((value, attributes) => result.observe(value, attributes as Values));
  instrument.addCallback(callback);
  return () => instrument.removeCallback(callback);
}
