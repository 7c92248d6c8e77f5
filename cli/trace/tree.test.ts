import { describe, expect, test } from "vitest";
import type { JaegerSpan, JaegerTrace } from "./jaeger.ts";
import { buildTraceTree, renderTraceTree } from "./tree.ts";

function span(spanID: string, parent: string | undefined, [startTime, duration]: [number, number]): JaegerSpan {
  const references = parent === undefined ? [] : [{ refType: "CHILD_OF", traceID: "t", spanID: parent }];
  return {
    traceID: "t",
    spanID,
    operationName: `op-${spanID}`,
    startTime,
    duration,
    processID: "p1",
    references,
    tags: [],
  };
}

function trace(...spans: JaegerSpan[]): JaegerTrace {
  return { traceID: "t", spans, processes: { p1: { serviceName: "gateway" }, p2: { serviceName: "task" } } };
}

describe("buildTraceTree", () => {
  test("orders hops by time under their callers, in whatever order they came", () => {
    const tree = buildTraceTree(
      trace(span("c", "a", [1600, 300]), span("b", "a", [1100, 400]), span("a", undefined, [1000, 1000])),
    );
    expect(tree.roots.map((root) => root.spanId)).toEqual(["a"]);
    expect(tree.roots[0]?.children.map((child) => [child.spanId, child.offset])).toEqual([
      ["b", 100],
      ["c", 600],
    ]);
  });

  test("counts as own time only what no child fills, though children overlap and outlast their parent", () => {
    const tree = buildTraceTree(
      trace(
        span("a", undefined, [0, 100]),
        span("b", "a", [10, 40]),
        span("c", "a", [30, 40]),
        span("d", "a", [90, 500]),
      ),
    );
    expect(tree.roots[0]?.own).toBe(100 - 60 - 10);
    expect(tree.duration).toBe(590);
  });

  test("keeps a span whose parent is missing as a root of its own", () => {
    const tree = buildTraceTree(trace(span("a", undefined, [0, 10]), span("b", "lost", [20, 10])));
    expect(tree.roots.map((root) => root.spanId)).toEqual(["a", "b"]);
  });

  test("ends for a span that names itself as its parent", () => {
    expect(buildTraceTree(trace(span("a", "a", [0, 10]))).roots).toHaveLength(1);
  });

  test("tells failures by Jaeger's own tag or the status of OpenTelemetry", () => {
    const failed = { ...span("a", undefined, [0, 10]), tags: [{ key: "error", value: true }] };
    const status = { ...span("b", "a", [0, 10]), tags: [{ key: "otel.status_code", value: "ERROR" }] };
    const [root] = buildTraceTree(trace(failed, status)).roots;
    expect([root?.failed, root?.children[0]?.failed]).toEqual([true, true]);
  });
});

test("renderTraceTree draws each hop with its times, service and operation", () => {
  const child = { ...span("b", "a", [1250, 500]), processID: "p2" };
  const text = renderTraceTree(
    buildTraceTree(trace(span("a", undefined, [1000, 1000]), child, span("c", "a", [1800, 100]))),
  );
  expect(text.split("\n")).toEqual([
    "trace t: 1.0 ms, 3 spans, 2 services",
    "         AT        TOOK",
    "     0.0 ms      1.0 ms  gateway  op-a",
    "     0.3 ms      0.5 ms  ├─ task  op-b",
    "     0.8 ms      0.1 ms  └─ gateway  op-c",
  ]);
});
