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

/** One family: the value of each row; a row without one is left out. */
export type Column<Row> = readonly [
  type: Family["type"],
  name: string,
  help: string,
  value: (row: Row) => number | boolean | undefined,
];

/** Families that have a series for each row, told apart by the row's labels; none without rows. */
export function table<Row>(
  rows: readonly Row[],
  labels: (row: Row) => Labels,
  columns: readonly Column<Row>[],
): Family[] {
  if (rows.length === 0) return [];
  return columns.map(([type, name, help, value]) => {
    const samples = rows.map((row) => [labels(row), Number(value(row) ?? Number.NaN)] as const);
    return family(
      type,
      name,
      help,
      samples.filter(([_, number]) => Number.isFinite(number)),
    );
  });
}

/** A family of one series without labels. */
export function single(type: Family["type"], name: string, help: string, value: number): Family {
  return family(type, name, help, [[{}, value]]);
}
