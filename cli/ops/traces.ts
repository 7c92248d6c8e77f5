import type { JaegerSpan, JaegerTrace } from "../trace/jaeger.ts";
import { buildTraceTree, type TraceNode } from "../trace/tree.ts";

/** What to look for. Any mix; a trace's id alone finds it whatever else is given. */
export interface TraceSearch {
  service: string;
  operation?: string;
  /** As Jaeger writes durations: "250ms", "1.5s", "80us". */
  minDuration?: string;
  errorsOnly?: boolean;
  /** An attribute and its value. */
  tag?: readonly [string, string];
  limit: number;
}

/** A trace in a list. Times in microseconds, the begin since 1970. */
export interface TraceSummary {
  traceId: string;
  service: string;
  operation: string;
  begin: number;
  duration: number;
  spans: number;
  errors: number;
  services: string[];
}

/** A span in the order and depth in which a waterfall shows it. Times in microseconds from the begin of the trace. */
export interface WaterfallSpan {
  spanId: string;
  depth: number;
  service: string;
  operation: string;
  offset: number;
  duration: number;
  /** During which none of its children was at work. */
  own: number;
  /** Nobody worked meanwhile: the outbox, or Kafka. */
  wait: boolean;
  failed: boolean;
  attributes: [string, string][];
  /** What happened within it: from the begin of the trace. */
  events: { offset: number; attributes: [string, string][] }[];
}

export interface Waterfall {
  traceId: string;
  begin: number;
  duration: number;
  services: string[];
  spans: WaterfallSpan[];
}

/** Whoever cannot be asked: Jaeger is away, starting, or was never there. */
export class JaegerAwayError extends Error {
  override readonly name = "JaegerAwayError";
}

const lookback = 24 * 3600;

/** Reads traces by Jaeger's HTTP API. */
export class TraceReader {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  async services(): Promise<string[]> {
    return ((await this.#ask<string[]>("/api/services")) ?? []).sort();
  }

  async operations(service: string): Promise<string[]> {
    const found = await this.#ask<{ name: string }[]>(`/api/operations?${new URLSearchParams({ service })}`);
    return [...new Set((found ?? []).map(({ name }) => name))].sort();
  }

  /** The newest first. */
  async search({ service, operation, minDuration, errorsOnly, tag, limit }: TraceSearch): Promise<TraceSummary[]> {
    const now = Date.now() * 1000;
    const tags = { ...(tag && { [tag[0]]: tag[1] }), ...(errorsOnly && { error: "true" }) };
    const query = new URLSearchParams({
      service,
      limit: String(limit),
      start: String(now - lookback * 1_000_000),
      end: String(now + 60_000_000),
      ...(operation && { operation }),
      ...(minDuration && { minDuration }),
      ...(Object.keys(tags).length > 0 && { tags: JSON.stringify(tags) }),
    });
    const traces = (await this.#ask<JaegerTrace[]>(`/api/traces?${query}`)) ?? [];
    return traces.map((trace) => summaryOf(trace, service, operation)).sort((one, other) => other.begin - one.begin);
  }

  /** Undefined when Jaeger does not know it. */
  async trace(traceId: string): Promise<Waterfall | undefined> {
    const [trace] = (await this.#ask<JaegerTrace[]>(`/api/traces/${traceId}`)) ?? [];
    return trace && waterfallOf(trace);
  }

  async #ask<T>(path: string): Promise<T | undefined> {
    let response: Response;
    try {
      response = await fetch(this.#url + path, { signal: AbortSignal.timeout(10_000) });
    } catch {
      throw new JaegerAwayError("Jaeger does not answer");
    }
    if (response.status === 404) return undefined;
    if (!response.ok) throw new JaegerAwayError(`Jaeger answers ${response.status}`);
    return ((await response.json()) as { data: T | null }).data ?? undefined;
  }
}

/** It goes by the span that was sought: the proxy before it calls everything alike. */
function summaryOf(trace: JaegerTrace, service: string, operation?: string): TraceSummary {
  const tree = buildTraceTree(trace);
  const nodes = flatten(tree.roots).map(([node]) => node);
  const isSought = (node: TraceNode) => node.service === service && (operation ?? node.operation) === node.operation;
  const named = nodes.find(isSought) ?? nodes[0];
  return {
    traceId: tree.traceId,
    service: named?.service ?? "unknown",
    operation: named?.operation ?? "unknown",
    begin: beginOf(trace),
    duration: tree.duration,
    spans: tree.spans,
    errors: nodes.filter(({ failed }) => failed).length,
    services: tree.services,
  };
}

/** The spans of a trace as rows: each under its caller, at its place in time. */
export function waterfallOf(trace: JaegerTrace): Waterfall {
  const tree = buildTraceTree(trace);
  const spans = new Map(trace.spans.map((span) => [span.spanID, span]));
  const begin = beginOf(trace);
  return {
    traceId: tree.traceId,
    begin,
    duration: tree.duration,
    services: tree.services,
    spans: flatten(tree.roots).map(([node, depth]) => rowOf(node, depth, spans.get(node.spanId), begin)),
  };
}

function rowOf(node: TraceNode, depth: number, span: (JaegerSpan & { logs?: JaegerLog[] }) | undefined, begin: number) {
  const { spanId, service, operation, offset, duration, own, failed } = node;
  return {
    ...{ spanId, depth, service, operation, offset, duration, own, failed },
    wait: /^(outbox wait$|wait )/.test(operation),
    attributes: pairsOf(span?.tags ?? []),
    events: (span?.logs ?? []).map(({ timestamp, fields }) => ({
      offset: timestamp - begin,
      attributes: pairsOf(fields),
    })),
  };
}

interface JaegerLog {
  timestamp: number;
  fields: { key: string; value: unknown }[];
}

function pairsOf(tags: readonly { key: string; value: unknown }[]): [string, string][] {
  return tags
    .map(({ key, value }): [string, string] => [key, typeof value === "string" ? value : JSON.stringify(value)])
    .sort(([one], [other]) => one.localeCompare(other));
}

/** Depth first, without recursion: a trace may be a thousand spans deep. */
function flatten(roots: readonly TraceNode[]): [TraceNode, number][] {
  const rows: [TraceNode, number][] = [];
  const open: [TraceNode, number][] = roots.map((root): [TraceNode, number] => [root, 0]).reverse();
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    rows.push(next);
    const [node, depth] = next;
    for (const child of node.children.toReversed()) open.push([child, depth + 1]);
  }
  return rows;
}

function beginOf(trace: JaegerTrace): number {
  return trace.spans.reduce((least, { startTime }) => Math.min(least, startTime), Infinity);
}
