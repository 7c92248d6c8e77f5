import { type Family, type Labels, type MetricsFormat, renderFamilies, type Sample } from "./exposition.ts";
import type { Meter, Write } from "./metrics.ts";
import { describeMetric, type MetricName } from "./names.ts";
import { Distribution, Last, type Series, Sum } from "./series.ts";

type Attributes = Parameters<Write>[1];
type Read = Parameters<Meter["observe"]>[1];

/**
 * The measurements of a process as Prometheus reads them. A name is the table's with `_` for `.`, a counter's with
 * `_total`. Written for the hot path: a measurement finds its series by one look, and allocates nothing unless its span is kept.
 */
export class PrometheusMeter implements Meter {
  readonly #target: Family;
  readonly #written = new Map<MetricName, SeriesBook>();
  readonly #observed = new Map<MetricName, Set<Read>>();

  /** `resource` says whose the measurements are, in `target_info`. */
  constructor(resource: Labels) {
    const labels = Object.fromEntries(Object.entries(resource).map(([name, value]) => [prometheusName(name), value]));
    this.#target = {
      name: "target_info",
      type: "gauge",
      help: "Whose metrics these are",
      samples: [{ labels, value: 1 }],
    };
  }

  open(name: MetricName): Write {
    const book = this.#written.get(name) ?? new SeriesBook(name, makerOf(name));
    this.#written.set(name, book);
    // A series that is there from the start, with 0, shows its first event as a change.
    if (describeMetric(name).attributes === undefined) book.find(undefined);
    return (value, attributes) => book.find(attributes).write(value);
  }

  observe(name: MetricName, read: Read): () => void {
    const readers = this.#observed.get(name) ?? new Set();
    this.#observed.set(name, readers.add(read));
    return () => readers.delete(read);
  }

  render(format: MetricsFormat): string {
    return renderFamilies(this.#families(), format);
  }

  *#families(): Generator<Family> {
    yield this.#target;
    for (const [name, book] of this.#written) yield familyOf(name, book.samples());
    for (const [name, readers] of this.#observed) {
      const book = new SeriesBook(name, (labels) => new Sum(labels));
      for (const read of readers) read((value, attributes) => book.find(attributes).write(value));
      const samples = book.samples();
      if (samples.length > 0) yield familyOf(name, samples);
    }
  }
}

/** The series of a metric by their attributes: few, and looked up by each of many measurements. */
class SeriesBook {
  readonly #names: readonly string[];
  readonly #make: (labels: Labels) => Series;
  readonly #series = new Map<string, Series>();

  constructor(metric: MetricName, make: (labels: Labels) => Series) {
    this.#names = describeMetric(metric).attributes ?? [];
    this.#make = make;
  }

  find(attributes: Attributes): Series {
    let key = "";
    for (const name of this.#names) key += `${attributes?.[name] ?? ""}\n`;
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    const labels: Record<string, string> = {};
    for (const name of this.#names) {
      const value = String(attributes?.[name] ?? "");
      if (value !== "") labels[prometheusName(name)] = value;
    }
    const made = this.#make(labels);
    this.#series.set(key, made);
    return made;
  }

  samples(): Sample[] {
    return [...this.#series.values()].flatMap((series) => series.samples());
  }
}

function makerOf(name: MetricName): (labels: Labels) => Series {
  const { kind, buckets = [] } = describeMetric(name);
  if (kind === "histogram") return (labels) => new Distribution(labels, buckets);
  return kind === "gauge" ? (labels) => new Last(labels) : (labels) => new Sum(labels);
}

function familyOf(name: MetricName, samples: Sample[]): Family {
  const { kind, description } = describeMetric(name);
  const isCounter = kind === "counter" || kind === "observedCounter";
  const type = kind === "histogram" ? kind : isCounter ? "counter" : "gauge";
  return { name: prometheusName(name), type, help: description, samples };
}

function prometheusName(name: string): string {
  return name.replaceAll(".", "_");
}
