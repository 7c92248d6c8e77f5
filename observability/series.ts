import { isSpanContextValid, TraceFlags, trace } from "@opentelemetry/api";
import type { Exemplar, Labels, Sample } from "./exposition.ts";

/** The measurements of one metric that have the same labels. */
export interface Series {
  write(value: number): void;
  samples(): Sample[];
}

/** Adds up: a counter, or things that come and go. */
export class Sum implements Series {
  readonly #labels: Labels;
  #value = 0;

  constructor(labels: Labels) {
    this.#labels = labels;
  }

  write(value: number): void {
    this.#value += value;
  }

  samples(): Sample[] {
    return [{ labels: this.#labels, value: this.#value }];
  }
}

/** Keeps what was said last. */
export class Last implements Series {
  readonly #labels: Labels;
  #value: number | undefined;

  constructor(labels: Labels) {
    this.#labels = labels;
  }

  write(value: number): void {
    this.#value = value;
  }

  samples(): Sample[] {
    return this.#value === undefined ? [] : [{ labels: this.#labels, value: this.#value }];
  }
}

/** Counts by size. Each bucket keeps the ids of the latest span in which something fell into it, as its exemplar. */
export class Distribution implements Series {
  readonly #labels: Labels;
  readonly #bounds: readonly number[];
  /** Not cumulative; the last one is +Inf. */
  readonly #counts: Float64Array;
  readonly #exemplars: (Exemplar | undefined)[];
  #sum = 0;

  /** `bounds` are the upper bounds of the buckets, rising. */
  constructor(labels: Labels, bounds: readonly number[]) {
    this.#labels = labels;
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
    this.#exemplars = Array.from({ length: bounds.length + 1 });
  }

  write(value: number): void {
    if (!Number.isFinite(value)) return;
    const bounds = this.#bounds;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket++;
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#sum += value;
    const span = trace.getActiveSpan()?.spanContext();
    // Whoever follows an exemplar must find its trace.
    if (span === undefined || (span.traceFlags & TraceFlags.SAMPLED) === 0 || !isSpanContextValid(span)) return;
    const labels = { trace_id: span.traceId, span_id: span.spanId };
    this.#exemplars[bucket] = { labels, value, time: Date.now() / 1000 };
  }

  samples(): Sample[] {
    let count = 0;
    const buckets = [...this.#bounds, "+Inf"].map((bound, bucket): Sample => {
      count += this.#counts[bucket] as number;
      const labels = { ...this.#labels, le: String(bound) };
      return { suffix: "_bucket", labels, value: count, exemplar: this.#exemplars[bucket] };
    });
    return [
      ...buckets,
      { suffix: "_sum", labels: this.#labels, value: this.#sum },
      { suffix: "_count", labels: this.#labels, value: count },
    ];
  }
}
