/** OpenMetrics 1.0 has exemplars; the text format 0.0.4 is what everything else reads. */
export type MetricsFormat = "openmetrics" | "text";

export const contentTypeOf: Readonly<Record<MetricsFormat, string>> = {
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
  text: "text/plain; version=0.0.4; charset=utf-8",
};

export type Labels = Readonly<Record<string, string>>;

export interface Exemplar {
  labels: Labels;
  value: number;
  /** Seconds since the epoch. */
  time: number;
}

export interface Sample {
  /** What follows the name of the family: "_bucket", "_total", or nothing. */
  suffix?: string;
  labels: Labels;
  value: number;
  exemplar?: Exemplar | undefined;
}

/** All series of one metric. */
export interface Family {
  /** Without `_total`, for a counter too. */
  name: string;
  type: "counter" | "gauge" | "histogram" | "unknown";
  help: string;
  samples: readonly Sample[];
}

/** The format for an Accept header: OpenMetrics for those who name it, as Prometheus does. */
export function formatFor(accept = ""): MetricsFormat {
  const isNamed = accept
    .split(",")
    .some(
      (range) => /^\s*application\/openmetrics-text\s*(;|$)/i.test(range) && !/;\s*q=0(\.0*)?\s*(;|$)/i.test(range),
    );
  return isNamed ? "openmetrics" : "text";
}

/** A page as Prometheus reads it. */
export function renderFamilies(families: Iterable<Family>, format: MetricsFormat): string {
  const lines: string[] = [];
  for (const { name, type, help, samples } of families) {
    const title = format === "text" && type === "counter" ? `${name}_total` : name;
    // OpenMetrics wants quotes escaped here as well; the text format has no such escape outside of labels.
    const text = format === "openmetrics" ? quoted(help) : escaped(help);
    lines.push(`# HELP ${title} ${text}`, `# TYPE ${title} ${typeName(type, format)}`);
    for (const { suffix = type === "counter" ? "_total" : "", labels, value, exemplar } of samples) {
      const line = `${name}${suffix}${renderLabels(labels)} ${renderValue(value)}`;
      lines.push(format === "openmetrics" && exemplar ? `${line} # ${renderExemplar(exemplar)}` : line);
    }
  }
  if (format === "openmetrics") lines.push("# EOF");
  return `${lines.join("\n")}\n`;
}

function typeName(type: Family["type"], format: MetricsFormat): string {
  return type === "unknown" && format === "text" ? "untyped" : type;
}

function renderExemplar({ labels, value, time }: Exemplar): string {
  return `${renderLabels(labels)} ${renderValue(value)} ${time}`;
}

function renderLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${quoted(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function renderValue(value: number): string {
  if (Number.isFinite(value) || Number.isNaN(value)) return String(value);
  return value > 0 ? "+Inf" : "-Inf";
}

function quoted(text: string): string {
  return escaped(text).replaceAll('"', '\\"');
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}
