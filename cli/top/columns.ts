export interface Column<Row> {
  title: string;
  show: (row: Row) => string;
  /** Numbers stand at the right. */
  number?: boolean;
  /** Painted after it was padded. */
  paint?: (text: string, row: Row) => string;
  /** The first to go where there is no room: the higher, the sooner. 0 stays. */
  spare?: number;
}

const gap = "  ";

/** Rows under a heading within a width: columns that can be spared go first, then the first column is cut. */
export function columnLines<Row>(rows: readonly Row[], all: readonly Column<Row>[], width: number): string[] {
  const columns = [...all];
  const widthOf = (column: Column<Row>) => Math.max(column.title.length, ...rows.map((row) => column.show(row).length));
  const needed = () => columns.reduce((sum, column) => sum + widthOf(column) + gap.length, -gap.length);
  while (needed() > width) {
    const spare = columns.reduce((most, column) => ((column.spare ?? 0) > (most.spare ?? 0) ? column : most));
    if (!spare.spare) break;
    columns.splice(columns.indexOf(spare), 1);
  }
  const excess = Math.max(0, needed() - width);
  const widths = columns.map((column, index) => Math.max(4, widthOf(column) - (index === 0 ? excess : 0)));
  const line = (cell: (column: Column<Row>, index: number) => string) => columns.map(cell).join(gap).trimEnd();
  const pad = (text: string, column: Column<Row>, index: number) =>
    column.number ? text.padStart(widths[index] as number) : cut(text, widths[index] as number);
  return [
    line((column, index) => pad(column.title, column, index)),
    ...rows.map((row) =>
      line((column, index) => {
        const text = pad(column.show(row), column, index);
        return column.paint ? column.paint(text, row) : text;
      }),
    ),
  ];
}

/** A text of exactly that width; what does not fit ends in a mark. */
export function cut(text: string, width: number): string {
  return text.length <= width ? text.padEnd(width) : `${text.slice(0, Math.max(0, width - 1))}…`;
}
