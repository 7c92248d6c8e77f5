import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import type { TraceNode, TraceTree } from "../../cli/trace/tree.ts";
import { countSpans, missingHops } from "./spans.ts";

function node(service: string, operation: string, children: TraceNode[] = []): TraceNode {
  const times = { offset: 0, duration: 1, own: 1 };
  const how = { instance: service, kind: "work", critical: false, failed: false } as const;
  return { spanId: operation, service, operation, ...times, ...how, children };
}

function tree(...roots: TraceNode[]): TraceTree {
  const services = ["envoy-edge", "gateway", "envoy-mesh", "task", "consumers"];
  return { traceId: "t", duration: 1, answered: 1, waited: 0, spans: 9, services, roots };
}

const steps = [
  "task.v1.TaskService/CreateTask",
  "INSERT task",
  "outbox wait",
  "send task.events.v1",
  "wait task.events.v1",
  "process task.events.v1",
  "INSERT inbox_event",
];

test("a trace is whole with every hop and one root, and otherwise says what it lacks", () => {
  const whole = steps.map((operation) => node("task", operation));
  expect(missingHops(tree(node("envoy-edge", "POST http", whole)))).toEqual([]);
  const { roots } = tree(node("envoy-edge", "POST http", whole.slice(0, -1)), node("consumers", "stray"));
  expect(missingHops({ ...tree(), services: ["envoy-edge", "gateway", "envoy-mesh", "task"], roots })).toEqual([
    "consumers",
    "^INSERT inbox_event$",
    "the parents of 1 spans",
  ]);
});

test("spans with an error type count as dropped", async () => {
  const page = [
    "# TYPE otel_sdk_processor_span_processed_total counter",
    'otel_sdk_processor_span_processed_total{otel_component_name="batching/0"} 120',
    'otel_sdk_processor_span_processed_total{otel_component_name="batching/0",error_type="queue_full"} 3',
    'otel_sdk_processor_span_processed_total{error_type="Error"} 2',
  ];
  const server = createServer((_, response) => response.end(page.join("\n"))).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    expect(await countSpans(new Map([["task-1", url]]))).toEqual(new Map([["task-1", { sent: 120, dropped: 5 }]]));
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
