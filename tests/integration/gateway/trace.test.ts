import { createClient } from "@connectrpc/connect";
import { trace as api, context } from "@opentelemetry/api";
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { TaskService } from "#gen/task/v1/task_service_pb.js";
import { notFound } from "#kit/errors.ts";
import { startPropagation } from "#observability/propagation.ts";
import { until } from "../../_util/until.ts";
import { type Edge, type Protocol, startEdge } from "./edge.ts";

const taskId = "0190a1b2-0000-7000-8000-000000000001";
const traceId = "0af7651916cd43dd8448eb211c80319c";
const envoySpan = "b7ad6b7169203331";
const exporter = new InMemorySpanExporter();

let edge: Edge;
let headers: Record<string, string>;

beforeAll(async () => {
  startPropagation();
  api.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }));
  edge = await startEdge();
  headers = { authorization: `Bearer ${edge.issuer.token()}`, traceparent: `00-${traceId}-${envoySpan}-01` };
  edge.handlers.set("task.v1.TaskService/GetTask", async () => ({ task: { taskId } }));
  // The first call also fetches the keys that tokens are verified with.
  await fetch(`${edge.url}/v1/tasks/${taskId}`, { headers: { authorization: headers.authorization ?? "" } });
});
afterAll(async () => {
  await edge.close();
  api.disable();
  context.disable();
});
beforeEach(() => exporter.reset());

/** The spans of the one trace from Envoy's down to the service's: each is the child of the one before. */
async function chain(): Promise<ReadableSpan[]> {
  const spans = () => exporter.getFinishedSpans().filter((span) => span.spanContext().traceId === traceId);
  await until("the gateway's own span", () => spans().some((span) => span.parentSpanContext?.spanId === envoySpan));
  const found: ReadableSpan[] = [];
  let parent = envoySpan;
  for (;;) {
    const next = spans().find((span) => span.parentSpanContext?.spanId === parent);
    if (next === undefined) return found;
    found.push(next);
    parent = next.spanContext().spanId;
  }
}

describe("[edge.15] one trace from Envoy's span to the service's", () => {
  test("REST: the span is named by the template, and by nothing that a caller can make up", async () => {
    const response = await fetch(`${edge.url}/v1/tasks/${taskId}?`, { headers: { ...headers, tracestate: "a=b" } });
    expect(response.status).toBe(200);
    const spans = await chain();
    expect(spans.map(({ name }) => name)).toEqual([
      "GET /v1/tasks/{task_id}",
      "task.v1.TaskService/GetTask",
      "task.v1.TaskService/GetTask",
    ]);
    expect(spans[0]?.attributes).toMatchObject({
      "http.request.method": "GET",
      "http.route": "/v1/tasks/{task_id}",
      "http.response.status_code": 200,
    });
    expect(spans.at(-1)?.spanContext().traceState?.get("a")).toBe("b");
    expect(JSON.stringify(spans.map(({ attributes }) => attributes))).not.toContain(edge.issuer.kid);
  });

  test.each(["Connect JSON", "Connect", "gRPC-Web", "gRPC"] as Protocol[])("%s", async (protocol) => {
    await createClient(TaskService, edge.transports[protocol]).getTask({ taskId }, { headers });
    expect((await chain()).map(({ name }) => name)).toEqual([
      "POST /task.v1.TaskService/GetTask",
      "task.v1.TaskService/GetTask",
      "task.v1.TaskService/GetTask",
    ]);
  });

  test("a problem names the trace", async () => {
    edge.handlers.set("task.v1.TaskService/DeleteTask", async () => {
      throw notFound(ErrorReason.TASK_NOT_FOUND, "there is no such task");
    });
    const response = await fetch(`${edge.url}/v1/tasks/${taskId}`, { method: "DELETE", headers });
    expect(await response.json()).toMatchObject({ status: 404, traceId });
    const unknown = await fetch(`${edge.url}/v1/${taskId}`, { headers });
    expect(await unknown.json()).toMatchObject({ status: 404, traceId });
    expect(exporter.getFinishedSpans().map(({ name }) => name)).toContain("GET *");
  });
});
