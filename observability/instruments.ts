import type { AttributeName } from "./names.ts";

export type Instrument = "counter" | "upDownCounter" | "histogram" | "gauge" | "observed" | "observedCounter";

export interface MetricDescription {
  kind: Instrument;
  description: string;
  /** UCUM: "s", "By", "{event}". */
  unit: string;
  /** Low cardinality only: never an id. */
  attributes?: readonly AttributeName[];
  /** Upper bounds of a histogram's buckets, in its unit. */
  buckets?: readonly number[];
}

/** Buckets of durations, in seconds. */
export const seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;
/** Buckets of waits in queues, which may be long, in seconds. */
export const waits = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 600] as const;
/** Buckets of how many came at once. */
export const batches = [1, 2, 5, 10, 20, 50, 100, 200, 500] as const;
