/** One line of a page of metrics: a series and its value. */
export interface Sample {
  name: string;
  labels: Readonly<Record<string, string>>;
  value: number;
}

const escapes: Record<string, string> = { n: "\n", "\\": "\\", '"': '"' };
const labelPattern = /\s*([A-Za-z_][\w.]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*,?/sy;
const namePattern = /[A-Za-z_:][\w:.]*/y;

/**
 * The samples of a page in Prometheus' text format 0.0.4 or OpenMetrics 1.0. Comments, time stamps and exemplars are
 * left out, and so is a line that is not understood: one odd series must not hide the others.
 */
export function parseMetrics(text: string): Sample[] {
  const samples: Sample[] = [];
  for (const line of text.split("\n")) {
    const sample = line === "" || line.startsWith("#") ? undefined : parseLine(line);
    if (sample !== undefined) samples.push(sample);
  }
  return samples;
}

function parseLine(line: string): Sample | undefined {
  namePattern.lastIndex = 0;
  const [name] = namePattern.exec(line) ?? [];
  if (name === undefined) return undefined;
  const labels: Record<string, string> = {};
  let end = name.length;
  if (line[end] === "{") {
    const close = parseLabels(line, end + 1, labels);
    if (close === undefined) return undefined;
    end = close;
  }
  const [word] = line.slice(end).trimStart().split(/\s/, 1);
  const value = word === undefined || word === "" ? undefined : parseValue(word);
  return value === undefined ? undefined : { name, labels, value };
}

/** Reads `a="1",b="2"}` into the labels; answers with the place behind it, or undefined when it is broken. */
function parseLabels(line: string, from: number, labels: Record<string, string>): number | undefined {
  let end = from;
  for (;;) {
    labelPattern.lastIndex = end;
    const match = labelPattern.exec(line);
    if (match === null) break;
    const [, label = "", text = ""] = match;
    labels[label] = text.includes("\\") ? text.replace(/\\(.)/gs, (all, kind) => escapes[kind] ?? all) : text;
    end = labelPattern.lastIndex;
  }
  while (line[end] === " ") end++;
  return line[end] === "}" ? end + 1 : undefined;
}

function parseValue(word: string): number | undefined {
  if (word === "NaN") return Number.NaN;
  const infinity = /^([+-]?)inf$/i.exec(word);
  if (infinity) return infinity[1] === "-" ? -Infinity : Infinity;
  const value = Number(word);
  return Number.isNaN(value) ? undefined : value;
}
