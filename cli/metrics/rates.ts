import type { Sample } from "./parse.ts";
import type { Reading } from "./scrape.ts";

/** Which series are meant: a label's exact value, or a test of it (of "" where the label is missing). */
export type Where = Readonly<Record<string, string | ((value: string) => boolean)>>;

/**
 * Growth of every series per second between two readings of the same page, for counters and for the buckets, sums and
 * counts of histograms. A value that shrank belongs to a process that has started over, and a series that is new to a
 * page which was there before began at zero. Two readings at the same time have no rates.
 */
export function ratesBetween(before: Reading, after: Reading): Sample[] {
  const seconds = (after.time - before.time) / 1000;
  if (!(seconds > 0) || before.samples.length === 0) return [];
  const earlier = new Map(before.samples.map((sample) => [keyOf(sample), sample.value]));
  return after.samples.map((sample) => {
    const from = earlier.get(keyOf(sample)) ?? 0;
    const growth = sample.value >= from ? sample.value - from : sample.value;
    return { ...sample, value: growth / seconds };
  });
}

/** The samples of a name whose labels are as wished. */
export function select(samples: readonly Sample[], name: string, where: Where = {}): Sample[] {
  const tests = Object.entries(where);
  return samples.filter(
    (sample) => sample.name === name && tests.every(([label, test]) => matches(sample.labels[label] ?? "", test)),
  );
}

/** The sum of the samples of a name whose labels are as wished; 0 when there are none. */
export function total(samples: readonly Sample[], name: string, where: Where = {}): number {
  return select(samples, name, where).reduce((sum, { value }) => sum + (Number.isFinite(value) ? value : 0), 0);
}

function matches(value: string, test: string | ((value: string) => boolean)): boolean {
  return typeof test === "string" ? value === test : test(value);
}

function keyOf({ name, labels }: Sample): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}=${JSON.stringify(value)}`);
  return `${name}{${pairs.sort().join()}}`;
}
