import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type ReceivedSpan, startCollector, type TestCollector } from "../../../observability/testing.ts";
import { grpc, http } from "./client.ts";
import { startMesh, type TestMesh } from "./mesh.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const callerSpanId = "b7ad6b7169203331";
const traceparent = `00-${traceId}-${callerSpanId}-01`;

describe("Envoy's spans", () => {
  let mesh: TestMesh;
  let collector: TestCollector;
  beforeAll(async () => {
    collector = await startCollector();
    mesh = await startMesh({ otlp: { host: "127.0.0.1", port: collector.grpcPort } });
  });
  afterAll(async () => {
    await mesh?.stop();
    await collector?.stop();
  });
  beforeEach(() => {
    collector.spans.length = 0;
    mesh.gatewayHttp.seen.length = 0;
    mesh.services.task.seen.length = 0;
    mesh.services.task.answer = 0;
  });

  const isServer = ({ kind }: ReceivedSpan) => kind === 2;
  const isClient = ({ kind }: ReceivedSpan) => kind === 3;
  /** The part of the traceparent that names the parent of what the upstream does. */
  const parentSeen = (headers: Record<string, unknown> | undefined) => String(headers?.traceparent).split("-");

  test.each([
    [
      "envoy-edge",
      "GET http",
      () => http(mesh.edge, "/v1/tasks", { headers: { traceparent } }),
      () => mesh.gatewayHttp,
    ],
    [
      "envoy-mesh",
      "task.v1.TaskService/GetTask",
      () => grpc(mesh.mesh, "/task.v1.TaskService/GetTask", { traceparent }),
      () => mesh.services.task,
    ],
  ] as const)("of %s continue the caller's trace and hand it on", async (name, spanName, call, upstream) => {
    await call();
    const spans = await collector.waitFor((all) => all.length === 2);
    const server = spans.find(isServer);
    const client = spans.find(isClient);
    expect(server).toMatchObject({ traceId, parentSpanId: callerSpanId, resource: { "service.name": name } });
    expect(server?.name).toBe(spanName);
    expect(client).toMatchObject({ traceId, parentSpanId: server?.spanId, resource: { "service.name": name } });
    const [, seenTrace, seenParent, flags] = parentSeen(upstream().seen[0]?.headers);
    expect([seenTrace, seenParent, flags]).toEqual([traceId, client?.spanId, "01"]);
  });

  test("begin a trace where there is none", async () => {
    await http(mesh.edge, "/v1/tasks");
    const spans = await collector.waitFor((all) => all.length === 2);
    expect(spans.find(isServer)).toMatchObject({ parentSpanId: "" });
    expect(parentSeen(mesh.gatewayHttp.seen[0]?.headers)[1]).toBe(spans[0]?.traceId);
  });

  test("show each try", async () => {
    mesh.services.task.answer = 14;
    await grpc(mesh.mesh, "/task.v1.TaskService/GetTask", { traceparent });
    const spans = await collector.waitFor((all) => all.length === 3);
    expect(spans.filter(isClient)).toHaveLength(2);
  });

  test("are not made for a trace that is not sampled", async () => {
    await http(mesh.edge, "/v1/tasks", { headers: { traceparent: `00-${traceId}-${callerSpanId}-00` } });
    await http(mesh.edge, "/v1/me");
    const spans = await collector.waitFor((all) => all.length === 2);
    expect(spans.filter((span) => span.traceId === traceId)).toEqual([]);
  });

  test("carry no query, no token and no other header", async () => {
    await http(mesh.edge, "/v1/tasks?token=canary-query", {
      headers: { authorization: "Bearer canary-token", cookie: "canary-cookie", "user-agent": "canary-agent" },
    });
    const spans = await collector.waitFor((all) => all.length === 2);
    // The name of the route: what a stranger typed could be anything.
    expect(spans.find(isServer)?.attributes["http.url"]).toBe("http");
    expect(collector.text()).not.toContain("canary");
  });
});

describe("Envoy that begins no traces of its own", () => {
  let mesh: TestMesh;
  let collector: TestCollector;
  beforeAll(async () => {
    collector = await startCollector();
    mesh = await startMesh({ otlp: { host: "127.0.0.1", port: collector.grpcPort }, samplePercent: 0 });
  });
  afterAll(async () => {
    await mesh?.stop();
    await collector?.stop();
  });

  test("still has its part in those that have begun", async () => {
    await http(mesh.edge, "/v1/me");
    await grpc(mesh.mesh, "/task.v1.TaskService/GetTask");
    await http(mesh.edge, "/v1/tasks", { headers: { traceparent } });
    await grpc(mesh.mesh, "/task.v1.TaskService/GetTask", { traceparent });
    const spans = await collector.waitFor((all) => all.length >= 4);
    expect(spans.map((span) => span.traceId)).toEqual(Array(4).fill(traceId));
  });
});
