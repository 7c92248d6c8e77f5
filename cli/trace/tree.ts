import { markCriticalPath } from "./critical-path.ts";
import type { JaegerSpan, JaegerTrace } from "./jaeger.ts";

/** One hop of a trace. Times in microseconds. */
export interface TraceNode {
  spanId: string;
  service: string;
  /** Which instance of the service; the service's name for one that does not say. */
  instance: string;
  operation: string;
  /** Whether somebody was at it, or it only waited: in the outbox, or in Kafka. */
  kind: "work" | "wait";
  /** From the begin of the trace. */
  offset: number;
  duration: number;
  /** The part of the duration during which none of its children was at work. */
  own: number;
  /** On the path that made the whole take as long as it did. */
  critical: boolean;
  failed: boolean;
  /** What it failed with: a status, a reason or the class of an error. */
  error?: string;
  children: TraceNode[];
}

export interface TraceTree {
  traceId: string;
  /** From the begin of the first span to the end of the last, waits in between included. */
  duration: number;
  /** When the caller had its answer: the duration of the first span. */
  answered: number;
  /** The waits on the critical path, together. */
  waited: number;
  spans: number;
  services: string[];
  /** Spans without a parent in the trace; more than one when a parent was not sampled or has not arrived. */
  roots: TraceNode[];
}

/** Puts the spans of a trace in order: who called whom, when, for how long. */
export function buildTraceTree(trace: JaegerTrace): TraceTree {
  const begin = Math.min(...trace.spans.map((span) => span.startTime));
  const end = Math.max(...trace.spans.map((span) => span.startTime + span.duration));
  const nodes = new Map(trace.spans.map((span) => [span.spanID, nodeOf(span, trace, begin)]));
  const roots: TraceNode[] = [];
  for (const span of trace.spans) {
    const node = nodes.get(span.spanID) as TraceNode;
    const parent = nodes.get(parentOf(span) ?? "");
    if (parent === undefined || parent === node) roots.push(node);
    else parent.children.push(node);
  }
  for (const node of nodes.values()) {
    node.children.sort(byOffset);
    node.own = node.duration - covered(node);
  }
  roots.sort(byOffset);
  markCriticalPath(roots);
  const all = [...nodes.values()].sort(byOffset);
  const waits = all.filter(({ kind, critical }) => kind === "wait" && critical);
  return {
    traceId: trace.traceID,
    duration: trace.spans.length === 0 ? 0 : end - begin,
    answered: roots[0]?.duration ?? 0,
    waited: waits.reduce((sum, { duration }) => sum + duration, 0),
    spans: trace.spans.length,
    services: [...new Set(all.map((node) => node.service))],
    roots,
  };
}

function nodeOf(span: JaegerSpan, trace: JaegerTrace, begin: number): TraceNode {
  const tag = (key: string) => span.tags.find((candidate) => candidate.key === key)?.value;
  const { serviceName: service = "unknown", tags = [] } = trace.processes[span.processID] ?? {};
  const failed = tag("error") === true || tag("otel.status_code") === "ERROR";
  const error = tag("error.type") ?? tag("rpc.response.status_code") ?? tag("http.status_code");
  return {
    spanId: span.spanID,
    service,
    instance: String(tags.find(({ key }) => key === "service.instance.id")?.value ?? service),
    operation: span.operationName,
    kind: /^(outbox )?wait\b/.test(span.operationName) ? "wait" : "work",
    offset: span.startTime - begin,
    duration: span.duration,
    own: span.duration,
    critical: false,
    failed,
    ...(failed && error !== undefined && { error: String(error) }),
    children: [],
  };
}

function parentOf(span: JaegerSpan): string | undefined {
  const parents = span.references.filter((reference) => reference.traceID === span.traceID);
  return (parents.find(({ refType }) => refType === "CHILD_OF") ?? parents[0])?.spanID;
}

function byOffset(one: TraceNode, other: TraceNode): number {
  return one.offset - other.offset || one.spanId.localeCompare(other.spanId);
}

/** How much of a node's time its children fill together; they may overlap each other and outlast it. */
function covered(node: TraceNode): number {
  let sum = 0;
  let reached = node.offset;
  const end = node.offset + node.duration;
  for (const child of node.children) {
    const from = Math.max(child.offset, reached);
    const to = Math.min(child.offset + child.duration, end);
    if (to > from) sum += to - from;
    reached = Math.max(reached, to);
  }
  return sum;
}
