import fs from "node:fs";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { ServiceError } from "#kit/errors.ts";
import { securityHeaders } from "#kit/security-headers.ts";
import { until } from "../../_util/until.ts";
import { grpc, type HttpAnswer, http } from "./client.ts";
import { startMesh } from "./mesh.ts";
import { rawHttp } from "./raw-http.ts";
import { startWholeEdge, type WholeEdge } from "./whole-edge.ts";

// The gateway's own log is looked at here: lines on standard output, errors on standard error.
vi.hoisted(() => {
  process.env.LOG_LEVEL = "info";
});
const gatewayLog: string[] = [];
const write = fs.writeSync.bind(fs) as typeof fs.writeSync;
vi.spyOn(fs, "writeSync").mockImplementation(((...args: Parameters<typeof fs.writeSync>) => {
  if (args[0] !== 1 && args[0] !== 2) return write(...args);
  gatewayLog.push(String(args[1]));
  return Buffer.byteLength(String(args[1]));
}) as typeof fs.writeSync);

const taskId = "0190a1b2-0000-7000-8000-000000000001";
const listed = "https://app.example";
const json = { "content-type": "application/json" };
const errors: Record<string, ServiceError> = {
  "auth.v1.AuthService/Login": new ServiceError({
    reason: ErrorReason.RATE_LIMITED,
    message: "later",
    retryAfterMs: 1000,
  }),
  "task.v1.TaskService/ListTasks": new ServiceError({ reason: ErrorReason.UNAVAILABLE, message: "away" }),
  "task.v1.TaskService/DeleteTask": new ServiceError({ reason: ErrorReason.INTERNAL, message: "broken" }),
};

let edge: WholeEdge;
let bearer: Record<string, string>;
beforeAll(async () => {
  edge = await startWholeEdge({}, { cors: { origins: [listed] } });
  bearer = { authorization: `Bearer ${edge.gateway.issuer.token()}` };
  edge.gateway.handlers.set("task.v1.TaskService/GetTask", async () => ({ task: { taskId } }));
  for (const [method, error] of Object.entries(errors)) {
    edge.gateway.handlers.set(method, async () => {
      throw error;
    });
  }
});
afterAll(async () => {
  await edge?.stop();
  vi.restoreAllMocks();
});

const call = (method: string, path: string, headers: Record<string, string> = {}, body?: string): Promise<HttpAnswer> =>
  http(edge.port, path, { method, headers, ...(body === undefined ? {} : { body }) });
const connect = (method: string, headers: Record<string, string>, body = "{}") =>
  call("POST", `/task.v1.TaskService/${method}`, headers, body);

type Case = [what: string, status: number, ask: () => Promise<HttpAnswer>, byEnvoy?: boolean];
const cases: Case[] = [
  ["a task", 200, () => call("GET", `/v1/tasks/${taskId}`, bearer)],
  ["the index", 200, () => call("GET", "/")],
  ["health", 200, () => call("GET", "/health/live")],
  ["the OpenAPI document", 200, () => call("GET", "/openapi.json")],
  ["the docs", 200, () => call("GET", "/docs")],
  ["what a path takes", 204, () => call("OPTIONS", "/v1/tasks")],
  ["a malformed body", 400, () => call("POST", "/v1/tasks", { ...bearer, ...json }, '{"title":')],
  ["no token", 401, () => call("GET", "/v1/me")],
  ["an unknown path", 404, () => call("GET", "/nothing")],
  ["another method", 405, () => call("PUT", "/v1/tasks", bearer)],
  ["too large a body", 413, () => call("POST", "/v1/tasks", { ...bearer, ...json }, `"${"a".repeat(1 << 21)}"`)],
  ["a body of another kind", 415, () => call("POST", "/v1/tasks", { ...bearer, "content-type": "text/xml" }, "<a/>")],
  ["too many calls", 429, () => call("POST", "/v1/auth/login", json, '{"email":"a@example.org","password":"p"}')],
  ["a fault of ours", 500, () => call("DELETE", `/v1/tasks/${taskId}`, { ...bearer, "if-match": '"1"' })],
  ["a service that is away", 503, () => call("GET", "/v1/tasks", bearer)],
  ["Connect", 200, () => connect("GetTask", { ...bearer, ...json }, `{"taskId":"${taskId}"}`)],
  ["Connect without a token", 401, () => connect("GetTask", json)],
  ["Connect with another method", 405, () => call("PUT", "/task.v1.TaskService/GetTask", { ...bearer, ...json }, "{}")],
  ["Connect of another kind", 415, () => connect("GetTask", { ...bearer, "content-type": "text/xml" })],
  [
    "gRPC-Web",
    200,
    () => connect("GetTask", { ...bearer, "content-type": "application/grpc-web+proto" }, "\0\0\0\0\0"),
  ],
  [
    "gRPC-Web without a token",
    200,
    () => connect("GetTask", { "content-type": "application/grpc-web+proto" }, "\0\0\0\0\0"),
  ],
  ["an internal RPC", 404, () => call("POST", "/user.v1.UserService/CreateUser", { ...bearer, ...json }, "{}"), true],
  ["an escaped slash", 400, () => call("GET", "/v1%2ftasks"), true],
  ["two hosts", 400, () => call("GET", "/", { host: "a,b" }), true],
  ["a header with an underscore", 400, () => call("GET", "/", { x_a: "1" }), true],
  ["headers that are too large", 431, () => call("GET", "/", { "x-a": "a".repeat(40_000) }), true],
  [
    "a WebSocket where there is none",
    403,
    () => call("GET", "/", { connection: "upgrade", upgrade: "websocket" }),
    true,
  ],
];

const own = new Set(["cache-control", "content-security-policy"]);

function expectSecured(headers: Record<string, unknown>): void {
  const shared = Object.entries(securityHeaders).filter(([name]) => !own.has(name));
  expect(headers).toMatchObject(Object.fromEntries(shared));
  expect(headers["content-security-policy"]).toMatch(/^default-src 'none';.*frame-ancestors 'none'/);
  expect(headers["cache-control"]).toMatch(/no-store|no-cache|max-age=60/);
  expect(headers["strict-transport-security"]).toBeUndefined();
  expect(headers.server).toBe("taskmesh");
  for (const name of ["x-powered-by", "via", "x-envoy-upstream-service-time"]) expect(headers).not.toHaveProperty(name);
}

/** The ids of the answers so far. */
const answered = new Set<string>();

describe("[edge.13] every answer carries the headers and an id that the logs have as well", () => {
  test.each(cases)("%s: %i", async (_what, status, ask, byEnvoy = false) => {
    const { headers, body, ...answer } = await ask();
    expect(answer.status).toBe(status);
    expectSecured(headers);
    const id = headers["x-request-id"] as string;
    expect(id).toMatch(/^([0-9a-f-]{36}|connection-\d+)$/);
    if (String(headers["content-type"]).startsWith("application/problem+json")) {
      expect(JSON.parse(body)).toMatchObject({ status, requestId: id });
    }
    answered.add(id);
    if (!byEnvoy && status >= 400) {
      // The line is written once the answer has gone out.
      await expect.poll(() => gatewayLog.join("")).toContain(`"taskmesh.request.id":"${id}"`);
    }
  });

  test("gRPC, answered by the gateway and by Envoy", async () => {
    for (const path of [
      "/task.v1.TaskService/GetTask",
      "/user.v1.UserService/CreateUser",
      "/grpc.health.v1.Health/Check",
    ]) {
      const { headers } = await grpc(edge.port, path);
      expectSecured(headers);
      const id = headers["x-request-id"] as string;
      answered.add(id);
    }
  });

  test("bytes that are no HTTP", async () => {
    const { status, text } = await rawHttp(edge.port, "GET / HTTP/1.1\r\nhost: a\r\ncontent-length: x\r\n\r\n");
    expect(status).toBe(400);
    const id = /x-request-id: (connection-\d+)/.exec(text)?.[1] as string;
    expect(text).toContain(`"requestId":"${id}"`);
    expect(text).toContain("x-content-type-options: nosniff");
    answered.add(id);
  });

  test("each id is in a line of Envoy's log", async () => {
    // Envoy writes its log every ten seconds.
    const log = await until("the lines", async () => {
      const text = await edge.envoy.log();
      const missing = [...answered].filter((id) => !text.includes(lineOf(id)));
      if (missing.length > 0) throw new Error(`no line of ${missing.join(", ")}`);
      return text;
    });
    expect(log).toContain('"status":431');
  });

  test("no gateway", async () => {
    const envoy = await startMesh();
    envoy.gatewayHttp.serving = false;
    await envoy.untilHealthy("gateway_http", 0);
    const { status, headers, body } = await http(envoy.edge, "/v1/tasks");
    expect(status).toBe(503);
    expectSecured(headers);
    expect(headers["retry-after"]).toBe("1");
    expect(JSON.parse(body)).toMatchObject({ reason: "UNAVAILABLE", requestId: headers["x-request-id"] });
    await envoy.stop();
  });
});

test("neither log has a cookie, a token or a query", async () => {
  const secret = {
    authorization: "Bearer canary-token",
    cookie: "taskmesh-refresh=canary-cookie",
    "x-session": "cookie",
  };
  const { headers } = await call("POST", "/v1/auth/refresh?canary=query", { ...json, ...secret }, "{}");
  await call("GET", "/v1/me?token=canary-query", secret);
  const log = await until("the line", async () => {
    const text = await edge.envoy.log();
    return text.includes(lineOf(headers["x-request-id"] as string)) && text;
  });
  expect(log + gatewayLog.join("")).not.toContain("canary");
  expect(gatewayLog.join("")).toContain("/v1/auth/refresh");
});

function lineOf(id: string): string {
  const connection = /^connection-(\d+)$/.exec(id)?.[1];
  return connection === undefined ? `"request_id":"${id}"` : `"connection_id":${connection}`;
}

describe("other origins", () => {
  const preflight = (origin: string, path = "/v1/tasks") =>
    call("OPTIONS", path, {
      origin,
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization,content-type",
    });

  test.each(["/v1/tasks", "/task.v1.TaskService/CreateTask", "/v1/live", "/nothing"])(
    "a listed one may ask for %s, and browsers keep that",
    async (path) => {
      const { status, headers } = await preflight(listed, path);
      expect(status).toBe(204);
      expect(headers).toMatchObject({
        "access-control-allow-origin": listed,
        "access-control-allow-credentials": "true",
        "access-control-max-age": "7200",
      });
      expect(headers.vary?.toLowerCase()).toContain("origin");
      expect(headers["access-control-allow-methods"]).toContain("PATCH");
      expect(headers["access-control-allow-headers"]).toContain("connect-protocol-version");
    },
  );

  test.each([
    "https://evil.example",
    "https://app.example.evil.example",
    "https://app.example:8443",
    "http://app.example",
    "https://APP.example",
    "https://xapp.example",
    "null",
    "https://app.example, https://evil.example",
  ])("%s may not", async (origin) => {
    for (const answer of [await preflight(origin), await call("GET", `/v1/tasks/${taskId}`, { ...bearer, origin })]) {
      expect(Object.keys(answer.headers).filter((name) => name.startsWith("access-control-"))).toEqual([]);
      expect(answer.headers.vary?.toLowerCase()).toContain("origin");
    }
  });

  test("a listed one sees what Connect, gRPC-Web and our SDK need", async () => {
    for (const answer of [
      await call("GET", `/v1/tasks/${taskId}`, { ...bearer, origin: listed }),
      await call("GET", "/v1/me", { origin: listed }),
      await connect(
        "GetTask",
        { ...bearer, "content-type": "application/grpc-web+proto", origin: listed },
        "\0\0\0\0\0",
      ),
    ]) {
      expect(answer.headers["access-control-allow-origin"]).toBe(listed);
      const exposed = String(answer.headers["access-control-expose-headers"]).split(", ");
      expect(exposed).toEqual(
        expect.arrayContaining([
          ...["etag", "retry-after", "ratelimit", "ratelimit-policy", "idempotency-replayed", "x-request-id"],
          ...["grpc-status", "grpc-message", "grpc-status-details-bin", "www-authenticate"],
        ]),
      );
      // Cross-origin readers are let in by name; nobody else may embed the answer.
      expect(answer.headers["cross-origin-resource-policy"]).toBe("cross-origin");
    }
  });

  test("without a list nobody may", async () => {
    const other = await startWholeEdge();
    const { headers } = await http(other.port, "/v1/tasks", {
      method: "OPTIONS",
      headers: { origin: listed, "access-control-request-method": "POST" },
    });
    expect(Object.keys(headers).filter((name) => name.startsWith("access-control-"))).toEqual([]);
    await other.stop();
  });
});
