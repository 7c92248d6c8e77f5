import type { Sample } from "./parse.ts";
import { select, type Where } from "./rates.ts";

/** A bucket of a histogram: how many values, or values a second, are at most `le`. */
export interface Bucket {
  le: number;
  count: number;
}

/** The buckets of a histogram, those of all series that are meant added up, by their bound. */
export function bucketsOf(samples: readonly Sample[], name: string, where?: Where): Bucket[] {
  const counts = new Map<number, number>();
  for (const { labels, value } of select(samples, `${name}_bucket`, where)) {
    const le = labels.le === "+Inf" ? Infinity : Number(labels.le);
    if (!Number.isNaN(le)) counts.set(le, (counts.get(le) ?? 0) + value);
  }
  return [...counts].map(([le, count]) => ({ le, count })).sort((one, other) => one.le - other.le);
}

/**
 * The value below which the share `q` (0 to 1) of a histogram lies, in its unit: spread evenly within a bucket, as
 * Prometheus' histogram_quantile does; above the last finite bound it is that bound. Undefined when nothing was counted.
 */
export function quantile(q: number, buckets: readonly Bucket[]): number | undefined {
  const all = buckets.at(-1)?.count ?? 0;
  if (!(all > 0)) return undefined;
  const rank = Math.min(Math.max(q, 0), 1) * all;
  let lower = { le: 0, count: 0 };
  for (const bucket of buckets) {
    if (bucket.count >= rank && bucket.count > lower.count) {
      if (!Number.isFinite(bucket.le)) return lower.le;
      return lower.le + (bucket.le - lower.le) * ((rank - lower.count) / (bucket.count - lower.count));
    }
    if (Number.isFinite(bucket.le)) lower = bucket;
  }
  return lower.le;
}
