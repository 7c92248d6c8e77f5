import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { newId } from "#kit/id.ts";
import { grpcurl } from "../../_util/grpcurl.ts";
import { OwnRedis } from "../../_util/own-redis.ts";
import { until } from "../../_util/until.ts";
import { startWholeEdge, type WholeEdge } from "../envoy/whole-edge.ts";
import { type Edge, startEdge } from "./edge.ts";

let server: OwnRedis;
let edge: Edge;

beforeAll(async () => {
  server = await OwnRedis.start();
  edge = await startEdge({ redis: { url: server.url } });
});
afterAll(async () => {
  await edge.close();
  await server.stop();
});
afterEach(() => {
  edge.parts.database = async () => {};
});

// biome-ignore lint/suspicious/noExplicitAny: every page has a shape of its own
async function page(path: string): Promise<{ status: number; body: any }> {
  const response = await fetch(edge.url + path);
  return { status: response.status, body: await response.json() };
}

const untilStatus = (path: string, status: number) =>
  until(`${path} to answer ${status}`, async () => (await page(path)).status === status, { everyMs: 50 });

describe("health over HTTP [002.08] [004.14]", () => {
  test("/health/database names each service's database and how long it took", async () => {
    const { status, body } = await page("/health/database");
    expect(status).toBe(200);
    const up = { status: "SERVING", durationMs: expect.any(Number) };
    expect(body).toEqual({ status: "healthy", databases: { auth: up, user: up, task: up, notification: up } });
  });

  test.each([
    ["away", async () => Promise.reject(new Error("connect ECONNREFUSED 10.0.0.7:5432"))],
    ["hanging", () => new Promise<void>(() => {})],
  ])("a database that is %s is a 503 that says so, and no more than that", async (_how, database) => {
    edge.parts.database = database;
    await untilStatus("/health/database", 503);
    const { body } = await page("/health/database");
    expect(body).toMatchObject({ status: "degraded", databases: { task: { status: "NOT_SERVING" } } });
    expect(JSON.stringify(body)).not.toMatch(/ECONN|10\.0/);
    await untilStatus("/health", 503);
    expect((await page("/health")).body).toMatchObject({ status: "degraded", databases: { task: "NOT_SERVING" } });
    // Services cannot do without it.
    expect(await page("/health/services")).toMatchObject({
      status: 503,
      body: { services: { task: { status: "NOT_SERVING" } } },
    });
    // Nobody restarts or leaves a gateway because of a part behind it.
    expect((await page("/health/live")).status).toBe(200);
    expect((await page("/health/ready")).status).toBe(200);
    edge.parts.database = async () => {};
    await untilStatus("/health/database", 200);
    await untilStatus("/health", 200);
  });

  test.each(["SIGSTOP", "SIGKILL"] as const)("/health/redis tells of a Redis after %s", async (signal) => {
    await untilStatus("/health/redis", 200);
    expect((await page("/health/redis")).body).toEqual({
      status: "healthy",
      redis: { status: "SERVING", durationMs: expect.any(Number) },
    });
    server.signal(signal);
    try {
      await untilStatus("/health/redis", 503);
      expect((await page("/health/redis")).body).toMatchObject({
        status: "degraded",
        redis: { status: "UNAVAILABLE" },
      });
      // Calls are answered all the same.
      expect(await page("/health")).toMatchObject({ status: 200, body: { status: "degraded", redis: "UNAVAILABLE" } });
      expect((await page("/health/ready")).status).toBe(200);
    } finally {
      if (signal === "SIGSTOP") server.signal("SIGCONT");
    }
    if (signal === "SIGSTOP") await untilStatus("/health/redis", 200);
  });

  test("/health/metrics sums up requests, errors, latency, memory and the event loop", async () => {
    const before = (await page("/health/metrics")).body;
    edge.handlers.set("task.v1.TaskService/GetTask", async () => Promise.reject(new Error("a fault")));
    const headers = { authorization: `Bearer ${edge.issuer.token()}` };
    for (let n = 0; n < 5; n += 1) await fetch(`${edge.url}/v1/tasks/${newId()}`, { headers });
    for (let n = 0; n < 5; n += 1) await fetch(`${edge.url}/v1/tasks/${newId()}`);
    const { status, body } = await page("/health/metrics");
    expect(status).toBe(200);
    expect(body.requests.total).toBe(before.requests.total + 10);
    expect(body.recent.requests).toBeGreaterThanOrEqual(10);
    expect(body.recent.serverErrorRate).toBeGreaterThan(0);
    expect(body.recent.clientErrorRate).toBeGreaterThan(0);
    const { p50, p95, p99 } = body.recent.latencyMs;
    expect(p50).toBeGreaterThan(0);
    expect(p95).toBeGreaterThanOrEqual(p50);
    expect(p99).toBeGreaterThanOrEqual(p95);
    expect(body.memory.heapUsedBytes).toBeGreaterThan(1e6);
    expect(body.memory.heapUsedBytes).toBeLessThan(body.memory.heapLimitBytes);
    expect(body.eventLoop.utilization).toBeGreaterThan(0);
    expect(body.eventLoop.delayMs.p99).toBeGreaterThanOrEqual(body.eventLoop.delayMs.p50);
    expect(JSON.stringify(body)).not.toMatch(/redis:|postgres|127\.0\.0\.1|token/i);
  });
});

describe("through Envoy, by reflection alone", () => {
  let whole: WholeEdge;
  beforeAll(async () => {
    whole = await startWholeEdge();
  });
  afterAll(() => whole.stop());
  const address = () => `127.0.0.1:${whole.port}`;

  test("grpcurl asks for health, lists, describes, calls, and reads the details of an error; health pages answer [edge.16]", async () => {
    const check = await grpcurl(address(), "grpc.health.v1.Health/Check");
    expect(JSON.parse(check.stdout)).toEqual({ status: "SERVING" });
    const one = await grpcurl("-d", '{"service":"task.v1.TaskService"}', address(), "grpc.health.v1.Health/Check");
    expect(JSON.parse(one.stdout)).toEqual({ status: "SERVING" });
    const listed = await grpcurl(address(), "list");
    expect(listed.stdout.split("\n")).toEqual(expect.arrayContaining(["task.v1.TaskService", "auth.v1.AuthService"]));
    const described = await grpcurl(address(), "describe", "task.v1.TaskService.GetTask");
    expect(described.stdout).toContain("rpc GetTask ( .task.v1.GetTaskRequest )");
    const taskId = newId();
    whole.gateway.handlers.set("task.v1.TaskService/GetTask", async () => ({ task: { taskId, title: "a" } }));
    const header = `authorization: Bearer ${whole.gateway.issuer.token()}`;
    const request = JSON.stringify({ task_id: taskId });
    const got = await grpcurl("-H", header, "-d", request, address(), "task.v1.TaskService/GetTask");
    expect(JSON.parse(got.stdout)).toMatchObject({ task: { taskId, title: "a" } });
    const refused = await grpcurl("-format-error", "-d", request, address(), "task.v1.TaskService/GetTask");
    expect(refused.code).toBe(64 + 16);
    expect(JSON.parse(refused.stderr)).toMatchObject({
      details: [{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "TOKEN_INVALID" }],
    });
    for (const path of ["", "/live", "/ready", "/services", "/database", "/redis", "/metrics"]) {
      expect([path, (await fetch(`${whole.url}/health${path}`)).status]).toEqual([path, 200]);
    }
  });

  test("grpcurl describes what errors carry", async () => {
    const described = await grpcurl(address(), "describe", "google.rpc.RetryInfo");
    expect(described.stdout).toContain("retry_delay");
    expect((await grpcurl(address(), "describe", "google.rpc.Status")).code).toBe(0);
  });
});
