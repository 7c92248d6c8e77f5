import type { Family, Labels } from "#observability/exposition.ts";

/** A family out of pairs of labels and values; a counter's name is without `_total`. */
export function family(
  type: Family["type"],
  name: string,
  help: string,
  samples: readonly (readonly [labels: Labels, value: number])[],
): Family {
  return { name, type, help, samples: samples.map(([labels, value]) => ({ labels, value })) };
}

/** A family of one series without labels. */
export function single(type: Family["type"], name: string, help: string, value: number): Family {
  return family(type, name, help, [[{}, value]]);
}
