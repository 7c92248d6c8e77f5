import { trace as api, context, propagation, type Span, SpanStatusCode } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { TracerProvider } from "@opentelemetry/sdk-trace";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { notFound } from "../../errors.ts";
import { service } from "../server.ts";
import { bearer, startTestMesh, type TestMesh, TestService, testImpl } from "../testing.ts";

const ended: ReturnType<typeof read>[] = [];

function read(span: Span) {
  return span as unknown as {
    name: string;
    kind: number;
    attributes: Record<string, unknown>;
    status: { code: SpanStatusCode; message?: string };
    parentSpanContext?: { spanId: string };
    spanContext(): { traceId: string; spanId: string };
  };
}

let mesh: TestMesh;
beforeAll(async () => {
  const processor = {
    onStart: () => {},
    onEnd: (span: unknown) => void ended.push(read(span as Span)),
    forceFlush: async () => {},
    shutdown: async () => {},
  };
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  api.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [processor] }));
  const methods = testImpl({
    echo: async ({ value }, call) => {
      if (value === "missing") throw notFound(ErrorReason.TASK_NOT_FOUND, "secret title");
      if (value === "break") throw new Error("secret title");
      if (value === "onward") return mesh.client(TestService).open({ value }, { call });
      return { value };
    },
  });
  mesh = await startTestMesh([service(TestService, methods)]);
});
beforeEach(() => {
  ended.length = 0;
});
afterAll(async () => {
  await mesh.close();
  api.disable();
  propagation.disable();
  context.disable();
});

const call = (value: string, headers = {}) =>
  mesh
    .client(TestService)
    .echo({ value }, { headers: { ...bearer(mesh, { sub: "u-1" }), ...headers } })
    .catch(() => {});
const spans = async (count: number) => {
  await vi.waitFor(() => expect(ended).toHaveLength(count), 5_000);
  return ended;
};

describe("the trace of a call", () => {
  it("has a client and a server span, one inside the other", async () => {
    await call("a");
    const [server, client] = await spans(2);
    expect(server).toMatchObject({ name: "mesh.test.v1.TestService/Echo", kind: 1 });
    expect(client).toMatchObject({ name: "mesh.test.v1.TestService/Echo", kind: 2 });
    expect(server?.parentSpanContext?.spanId).toBe(client?.spanContext().spanId);
    expect(server?.attributes).toMatchObject({
      "rpc.system.name": "grpc",
      "rpc.method": "mesh.test.v1.TestService/Echo",
      "rpc.response.status_code": "OK",
      "taskmesh.caller.kind": "user",
      "taskmesh.user.id": "u-1",
    });
  });

  it("goes on through the calls that the handler makes", async () => {
    await call("onward");
    const all = await spans(4);
    expect(new Set(all.map((span) => span.spanContext().traceId)).size).toBe(1);
    const roots = all.filter(({ parentSpanContext }) => parentSpanContext === undefined);
    expect(roots).toHaveLength(1);
  });

  it("tells an ordinary answer from a fault, and repeats no text of either", async () => {
    await call("missing");
    const [missing] = await spans(2);
    expect(missing?.status.code).toBe(SpanStatusCode.UNSET);
    expect(missing?.attributes).toMatchObject({
      "rpc.response.status_code": "NOT_FOUND",
      "error.type": "TASK_NOT_FOUND",
    });
    ended.length = 0;
    await call("break");
    const [broken] = await spans(2);
    expect(broken?.status.code).toBe(SpanStatusCode.ERROR);
    expect(broken?.attributes).toMatchObject({ "rpc.response.status_code": "INTERNAL", "error.type": "INTERNAL" });
    const everything = ended.map(({ attributes, status }) => ({ attributes, status }));
    expect(JSON.stringify(everything)).not.toContain("secret");
  });

  it("starts anew when the caller's context is broken", async () => {
    const { trace } = await import("./trace.ts");
    const { ServerCall } = await import("../server-call.ts");
    const { Metadata } = await import("@grpc/grpc-js");
    const metadata = new Metadata();
    metadata.set("traceparent", "00-zz-zz-01");
    const request = new ServerCall(TestService.method.echo, metadata, Number.POSITIVE_INFINITY);
    await trace.wrap(async () => undefined)(request, { $typeName: "google.protobuf.StringValue" });
    expect(ended[0]?.parentSpanContext).toBeUndefined();
    expect(ended[0]?.spanContext().traceId).toMatch(/^[0-9a-f]{32}$/);
  });
});
