import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { fetchTrace } from "../../cli/trace/jaeger.ts";
import { buildTraceTree, type TraceNode, type TraceTree } from "../../cli/trace/tree.ts";
import { until } from "../_util/until.ts";

/** What became of the spans of one process, as its own metrics count them. */
export interface SpanCount {
  sent: number;
  /** Did not fit into the queue, or could not be sent. */
  dropped: number;
}

const processed = /^otel_sdk_processor_span_processed(?:_total)?(?:\{([^}]*)\})? (\d+)/gm;

/** Adds up the spans of our own processes since their start. */
export async function countSpans(adminPages: ReadonlyMap<string, string>): Promise<Map<string, SpanCount>> {
  const counts = [...adminPages].map(async ([name, page]) => {
    const metrics = await (await fetch(`${page}/metrics`)).text();
    const sum: SpanCount = { sent: 0, dropped: 0 };
    for (const [, labels = "", value] of metrics.matchAll(processed)) {
      sum[labels.includes("error_type=") ? "dropped" : "sent"] += Number(value);
    }
    return [name, sum] as const;
  });
  return new Map(await Promise.all(counts));
}

/** The same for Envoy, which tells by its statistics. */
export async function countEnvoySpans(admin: string): Promise<SpanCount> {
  const page = await (await fetch(`${admin}/stats?filter=^tracing`)).text();
  const value = (name: string) => Number(new RegExp(`^tracing\\.opentelemetry\\.${name}: (\\d+)`, "m").exec(page)?.[1]);
  return { sent: value("spans_sent"), dropped: value("spans_dropped") };
}

/** Headers that make the edge keep the trace of a request, and the id to find it by (W3C trace context). */
export function sampled(): { traceId: string; headers: { traceparent: string } } {
  const traceId = randomBytes(16).toString("hex");
  return { traceId, headers: { traceparent: `00-${traceId}-${randomBytes(8).toString("hex")}-01` } };
}

const stations = ["envoy-edge", "gateway", "envoy-mesh", "task", "consumers"];
const waypoints = [
  /^task\.v1\.TaskService\/CreateTask$/,
  /^INSERT task$/,
  /^outbox wait/,
  /^send task\.events\.v1/,
  /^wait task\.events\.v1/,
  /^process task\.events\.v1/,
  /^INSERT inbox_event$/,
];

/** What a create's trace lacks on its way from the edge over the database and Kafka to the consumer's commit. */
export function missingHops(tree: TraceTree): string[] {
  const operations = tree.roots.flatMap(operationsOf);
  return [
    ...stations.filter((service) => !tree.services.includes(service)),
    ...waypoints.filter((pattern) => !operations.some((name) => pattern.test(name))).map(({ source }) => source),
    ...(tree.roots.length > 1 ? [`the parents of ${tree.roots.length - 1} spans`] : []),
  ];
}

/** Waits for each trace to be whole. Answers with what those that never are lack, by trace id. */
export async function incompleteTraces(jaeger: string, traceIds: readonly string[]): Promise<Map<string, string[]>> {
  const incomplete = new Map<string, string[]>();
  const check = async (traceId: string) => {
    const tree = await fetchTrace(jaeger, traceId).then(buildTraceTree, () => undefined);
    const missing = tree === undefined ? ["all of it"] : missingHops(tree);
    if (missing.length === 0) incomplete.delete(traceId);
    else incomplete.set(traceId, missing);
  };
  for (const traceId of traceIds) incomplete.set(traceId, []);
  await until(
    "the traces to be whole",
    async () => {
      for (const traceId of [...incomplete.keys()]) await check(traceId);
      return incomplete.size === 0;
    },
    { timeoutMs: 20_000, everyMs: 250 },
  ).catch(() => {});
  return incomplete;
}

/** Sends something so many times, evenly over the time. */
export async function spread(count: number, seconds: number, send: () => Promise<void>): Promise<void> {
  for (let sent = 0; sent < count; sent++) {
    await Promise.all([send(), delay((seconds * 1000) / count)]);
  }
}

function operationsOf(node: TraceNode): string[] {
  return [node.operation, ...node.children.flatMap(operationsOf)];
}
