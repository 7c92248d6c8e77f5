import { readdirSync, readFileSync } from "node:fs";
import type { SyntaxNode } from "@lezer/common";
import { parser } from "@prometheus-io/lezer-promql";
import { parse } from "yaml";
import type { Sample } from "../../cli/metrics/parse.ts";
import { dashboards } from "../../observability/grafana/dashboards.ts";

/** One expression of a panel or a rule, with the labels that its texts name. */
export interface Expression {
  /** Where it stands, for messages. */
  place: string;
  expr: string;
  /** Labels in a legend or an annotation. */
  shown: string[];
  /** The name that a recording rule gives to its result. */
  record?: string;
}

interface Rule {
  alert?: string;
  record?: string;
  expr: string;
  annotations?: Record<string, string>;
}

const rulesFolder = "observability/prometheus/rules";

/** Every expression of every panel, with Grafana's variables in place. */
export function panelExpressions(): Expression[] {
  return dashboards.flatMap(({ uid, panels }) =>
    panels.flatMap(({ title, queries }) =>
      queries.map(({ expr, legend = "" }) => ({
        place: `${uid} / ${title}`,
        expr: expr.replaceAll("$__rate_interval", "1m").replace(/\$[a-z]+/g, ".+"),
        shown: [...legend.matchAll(/\{\{\s*(\w+)\s*\}\}/g)].map(([, label = ""]) => label),
      })),
    ),
  );
}

/** Every recording rule and alert. */
export function ruleExpressions(): Expression[] {
  return readdirSync(rulesFolder).flatMap((file) => {
    const { groups } = parse(readFileSync(`${rulesFolder}/${file}`, "utf8")) as { groups: { rules: Rule[] }[] };
    return groups.flatMap(({ rules }) =>
      rules.map(({ alert, record, expr, annotations = {} }) => ({
        place: `${file} / ${alert ?? record}`,
        expr,
        shown: [
          ...Object.values(annotations)
            .join(" ")
            .matchAll(/\$labels\.(\w+)/g),
        ].map(([, label = ""]) => label),
        ...(record && { record }),
      })),
    );
  });
}

/** What an expression asks of one metric. */
export interface Use {
  metric: string;
  /** Labels that it matches, or groups by. */
  labels: string[];
}

export interface Reading {
  faults: string[];
  uses: Use[];
  /** The labels of the result by its outermost grouping; undefined when it keeps those of its metrics. */
  labels: string[] | undefined;
}

/** Reads an expression by Prometheus' own grammar. */
export function readExpression(expr: string): Reading {
  const text = (node: SyntaxNode) => expr.slice(node.from, node.to);
  const faults: string[] = [];
  const uses: Use[] = [];
  const { topNode } = parser.parse(expr);
  const visit = (node: SyntaxNode, grouping: readonly string[]): void => {
    if (node.type.isError) faults.push(`cannot be read at "${expr.slice(node.from, node.from + 20)}"`);
    let within = grouping;
    if (node.name === "AggregateExpr") within = [...grouping, ...groupingOf(node, text)];
    if (node.name === "VectorSelector") {
      const metric = node.getChild("Identifier");
      const matched = [...descendants(node, "LabelName")].map(text);
      if (metric === null) faults.push("names no metric");
      else uses.push({ metric: text(metric), labels: [...new Set([...matched, ...grouping])] });
    }
    if (node.name === "FunctionCall") faults.push(...faultsOfCall(node, text));
    for (let child = node.firstChild; child !== null; child = child.nextSibling) visit(child, within);
  };
  visit(topNode, []);
  const [outermost] = descendants(topNode, "AggregateExpr");
  return { faults, uses, labels: outermost && groupingOf(outermost, text) };
}

function groupingOf(aggregate: SyntaxNode, text: (node: SyntaxNode) => string): string[] {
  const modifier = aggregate.getChild("AggregateModifier");
  return modifier === null ? [] : [...descendants(modifier, "LabelName")].map(text);
}

/** Quantiles are made of buckets, and rates of what only grows. */
function faultsOfCall(call: SyntaxNode, text: (node: SyntaxNode) => string): string[] {
  const name = call.getChild("FunctionIdentifier");
  const metrics = [...descendants(call, "VectorSelector")].flatMap((selector) => {
    const metric = selector.getChild("Identifier");
    return metric === null ? [] : [text(metric)];
  });
  const wrong = (fits: (metric: string) => boolean) =>
    metrics.filter((metric) => !fits(metric)).map((metric) => `${name && text(name)} of ${metric}`);
  if (name !== null && text(name) === "histogram_quantile") return wrong((metric) => metric.endsWith("_bucket"));
  if (name === null || !["rate", "increase", "irate"].includes(text(name))) return [];
  const ownCounters =
    /_(total|bucket|count|sum|xx|retry|timeout|overflow|spans_sent|spans_dropped)$|^pg_stat_database_/;
  return wrong((metric) => ownCounters.test(metric));
}

function* descendants(node: SyntaxNode, name: string): Generator<SyntaxNode> {
  for (let child = node.firstChild; child !== null; child = child.nextSibling) {
    if (child.name === name) yield child;
    yield* descendants(child, name);
  }
}

/** The labels that each metric has, of all series together. */
export type Catalogue = Map<string, Set<string>>;

/** What Prometheus itself knows: the labels that it adds, and its own metrics. */
const targetLabels = ["job", "instance", "service"];

export function catalogueOf(samples: Iterable<Sample>, rules: readonly Expression[]): Catalogue {
  const catalogue: Catalogue = new Map([
    ["up", new Set(targetLabels)],
    ["ALERTS", new Set(["alertname", "alertstate", "severity"])],
  ]);
  for (const { name, labels } of samples) {
    const known = catalogue.get(name) ?? new Set(targetLabels);
    catalogue.set(name, known.union(new Set(Object.keys(labels))));
  }
  for (const { record, expr } of rules) {
    if (record !== undefined)
      catalogue.set(record, new Set(readExpression(expr).labels?.filter((label) => label !== "le")));
  }
  return catalogue;
}

/** What an expression asks for that no series has. */
export function missingIn(catalogue: Catalogue, { expr, shown }: Pick<Expression, "expr" | "shown">): string[] {
  const { faults, uses, labels } = readExpression(expr);
  const missing = uses.flatMap(({ metric, labels: asked }) => {
    const known = catalogue.get(metric);
    if (known === undefined) return [`no metric ${metric}`];
    return asked.filter((label) => !known.has(label)).map((label) => `${metric} has no label ${label}`);
  });
  const result = new Set(labels ?? uses.flatMap(({ metric }) => [...(catalogue.get(metric) ?? [])]));
  const unshown = shown.filter((label) => !result.has(label) && label !== "__name__");
  return [...faults, ...missing, ...unshown.map((label) => `the result has no label ${label} to show`)];
}
