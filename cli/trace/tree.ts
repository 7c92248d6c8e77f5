import type { JaegerSpan, JaegerTrace } from "./jaeger.ts";

/** One hop of a trace. Times in microseconds. */
export interface TraceNode {
  spanId: string;
  service: string;
  operation: string;
  /** From the begin of the trace. */
  offset: number;
  duration: number;
  /** The part of the duration during which none of its children was at work. */
  own: number;
  failed: boolean;
  children: TraceNode[];
}

export interface TraceTree {
  traceId: string;
  /** From the begin of the first span to the end of the last, waits in between included. */
  duration: number;
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
  return {
    traceId: trace.traceID,
    duration: trace.spans.length === 0 ? 0 : end - begin,
    spans: trace.spans.length,
    services: [...new Set([...nodes.values()].sort(byOffset).map((node) => node.service))],
    roots: roots.sort(byOffset),
  };
}

/** The tree as lines of text: offset, duration, a branch for each hop, its service and operation. */
export function renderTraceTree(tree: TraceTree): string {
  const lines = [
    `trace ${tree.traceId}: ${milliseconds(tree.duration)}, ${tree.spans} spans, ${tree.services.length} services`,
    `${"AT".padStart(11)}${"TOOK".padStart(12)}`,
  ];
  const draw = (node: TraceNode, stem: string, branch: string, next: string) => {
    const times = `${milliseconds(node.offset).padStart(11)}${milliseconds(node.duration).padStart(12)}`;
    lines.push(`${times}  ${stem}${branch}${node.service}  ${node.operation}${node.failed ? "  FAILED" : ""}`);
    for (const [index, child] of node.children.entries()) {
      const last = index === node.children.length - 1;
      draw(child, stem + next, last ? "└─ " : "├─ ", last ? "   " : "│  ");
    }
  };
  for (const root of tree.roots) draw(root, "", "", "");
  return lines.join("\n");
}

function nodeOf(span: JaegerSpan, trace: JaegerTrace, begin: number): TraceNode {
  const tag = (key: string) => span.tags.find((candidate) => candidate.key === key)?.value;
  return {
    spanId: span.spanID,
    service: trace.processes[span.processID]?.serviceName ?? "unknown",
    operation: span.operationName,
    offset: span.startTime - begin,
    duration: span.duration,
    own: span.duration,
    failed: tag("error") === true || tag("otel.status_code") === "ERROR",
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

function milliseconds(microseconds: number): string {
  return `${(microseconds / 1000).toFixed(1)} ms`;
}
