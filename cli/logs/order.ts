import { fieldsOf } from "./filter.ts";

/** A line and whose it is. */
export interface NamedLine {
  name: string;
  text: string;
}

const leading = /^\[?(\d{4}[-/]\d{2}[-/]\d{2}[T ]\d{2}:\d{2}:\d{2}(?:[.,]\d+)?)/;

/** Puts lines of several logs in the order of time; one that has none stays behind the one before it in its log. */
export function byTime(logs: readonly (readonly NamedLine[])[]): NamedLine[] {
  const timed = logs.flatMap((lines) => {
    let last = 0;
    return lines.map((line) => {
      last = timeOf(line.text) ?? last;
      return { line, at: last };
    });
  });
  return timed.sort((one, other) => one.at - other.at).map(({ line }) => line);
}

/** Milliseconds since 1970, by the field of our processes or what the parts begin their lines with, both in UTC. */
function timeOf(text: string): number | undefined {
  const written =
    fieldsOf(text)?.time ?? leading.exec(text)?.[1]?.replace(" ", "T").replaceAll("/", "-").replace(",", ".");
  const time = typeof written === "string" ? Date.parse(written.endsWith("Z") ? written : `${written}Z`) : Number.NaN;
  return Number.isNaN(time) ? undefined : time;
}
