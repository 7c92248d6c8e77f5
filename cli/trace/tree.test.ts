import { describe, expect, test } from "vitest";
import type { JaegerSpan, JaegerTrace } from "./jaeger.ts";
import { renderTraceTree } from "./render.ts";
import { buildTraceTree, type TraceNode } from "./tree.ts";

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

describe("the critical path", () => {
  const critical = (node: TraceNode): string[] => [
    ...(node.critical ? [node.spanId] : []),
    ...node.children.flatMap(critical),
  ];

  test("has the slower of two that ran side by side, and what came before them", () => {
    const { roots } = buildTraceTree(
      trace(
        span("a", undefined, [0, 100_000]),
        span("before", "a", [0, 20_000]),
        span("slow", "a", [20_000, 70_000]),
        span("quick", "a", [20_000, 10_000]),
      ),
    );
    expect(roots.flatMap(critical).sort()).toEqual(["a", "before", "slow"]);
  });

  test("goes on into what outlasts the call that set it in motion", () => {
    const wait = { ...span("wait", "send", [55_000, 25_000]), operationName: "wait task.events.v1" };
    const tree = buildTraceTree(
      trace(
        span("a", undefined, [0, 30_000]),
        span("read", "a", [10_000, 15_000]),
        span("send", "a", [50_000, 5_000]),
        wait,
        span("process", "send", [80_000, 40_000]),
      ),
    );
    expect(tree.roots.flatMap(critical)).toEqual(["a", "read", "send", "wait", "process"]);
    expect([tree.answered, tree.duration, tree.waited]).toEqual([30_000, 120_000, 25_000]);
  });
});

test("renderTraceTree draws each hop with its times, instance and operation", () => {
  const child = { ...span("b", "a", [2500, 5000]), processID: "p2" };
  const failing = {
    ...span("c", "a", [8000, 1000]),
    tags: [
      { key: "error", value: true },
      { key: "error.type", value: "UNAVAILABLE" },
    ],
  };
  const given = trace(span("a", undefined, [0, 10_000]), child, failing);
  given.processes.p2 = { serviceName: "task", tags: [{ key: "service.instance.id", value: "task-2" }] };
  expect(renderTraceTree(buildTraceTree(given)).split("\n")).toEqual([
    "trace t",
    "answered in 10.0 ms",
    "3 spans of 2 services: gateway, task",
    "",
    "       AT     TOOK      OWN                                 (milliseconds; * is on the critical path)",
    "      0.0     10.0      4.0 * ████████████████████████████  gateway  op-a",
    "      2.5      5.0      5.0 *        ██████████████         ├─ task-2  op-b",
    "      8.0      1.0      1.0 *                       ███     └─ gateway  op-c  FAILED UNAVAILABLE",
  ]);
});
