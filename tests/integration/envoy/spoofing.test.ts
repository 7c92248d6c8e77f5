import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { TaskService } from "#gen/task/v1/task_service_pb.js";
import { rawHttp } from "./raw-http.ts";
import { startWholeEdge, type WholeEdge } from "./whole-edge.ts";

const taskId = "0190a1b2-0000-7000-8000-000000000001";
const protocols = ["REST", "Connect JSON", "Connect", "gRPC-Web", "gRPC"] as const;
type Protocol = (typeof protocols)[number];

/** What strangers say of themselves. None of it may be seen by a service, whatever the protocol. */
const forged: Record<string, string> = {
  "x-user-id": "admin",
  "x-mesh-identity": "forged",
  "x-mesh-target": "auth",
  "x-mesh-caller": "task",
  "x-mesh-background": "true",
  "x-taskmesh-role": "admin",
  "x-client-ip": "6.6.6.6",
  "x-real-ip": "6.6.6.6",
  "x-forwarded-for": "6.6.6.6",
  "x-forwarded-host": "evil.example",
  "x-forwarded-proto": "https",
  "x-forwarded-port": "1",
  "x-forwarded-prefix": "/evil",
  "x-forwarded-client-cert": "By=spiffe://mesh/auth",
  "x-cluster-client-ip": "6.6.6.6",
  "true-client-ip": "6.6.6.6",
  "cf-connecting-ip": "6.6.6.6",
  forwarded: "for=6.6.6.6",
  "x-original-url": "/v1/admin",
  "x-rewrite-url": "/v1/admin",
  "x-http-method-override": "DELETE",
  "x-envoy-external-address": "6.6.6.6",
  "x-envoy-internal": "true",
  "x-envoy-original-path": "/v1/admin",
  "x-envoy-decorator-operation": "forged",
  "x-envoy-retry-on": "5xx",
  "x-envoy-retry-grpc-on": "internal",
  "x-envoy-max-retries": "9",
  "x-envoy-upstream-rq-timeout-ms": "1",
  "x-envoy-upstream-rq-per-try-timeout-ms": "1",
  "x-envoy-expected-rq-timeout-ms": "1",
  "x-envoy-force-trace": "true",
  "x-envoy-hedge-on-per-try-timeout": "true",
  "x-envoy-attempt-count": "9",
  "grpc-tags-bin": "AAAA",
  "grpc-trace-bin": "AAAA",
  "grpc-previous-rpc-attempts": "9",
  "x-internal": "forged",
  cookie: "session=forged",
};

let edge: WholeEdge;
beforeAll(async () => {
  edge = await startWholeEdge();
  edge.gateway.handlers.set("task.v1.TaskService/GetTask", async () => ({ task: { taskId } }));
});
afterAll(() => edge?.stop());
beforeEach(() => {
  edge.gateway.arrivals.length = 0;
});

const authorization = () => `Bearer ${edge.gateway.issuer.token({ sub: "user-1", sid: "session-1" })}`;

async function get(protocol: Protocol, headers: Record<string, string>): Promise<void> {
  const all = { authorization: authorization(), ...headers };
  if (protocol === "REST") {
    const lines = Object.entries({ host: "edge", connection: "close", ...all }).map(
      ([name, value]) => `${name}: ${value}`,
    );
    const { status } = await rawHttp(edge.port, `GET /v1/tasks/${taskId} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
    expect(status).toBe(200);
    return;
  }
  await createClient(TaskService, transport(protocol)).getTask({ taskId }, { headers: all });
}

function transport(protocol: Exclude<Protocol, "REST">) {
  const options = { baseUrl: edge.url };
  if (protocol === "gRPC") return createGrpcTransport(options);
  if (protocol === "gRPC-Web") return createGrpcWebTransport({ ...options, httpVersion: "1.1" });
  return createConnectTransport({ ...options, httpVersion: "1.1", useBinaryFormat: protocol === "Connect" });
}

describe.each(protocols)("by %s", (protocol) => {
  test("nothing that a client claims of itself reaches a service", async () => {
    await get(protocol, {});
    await get(protocol, forged);
    const [honest, liar] = edge.arrivals();
    const seen = Object.keys(forged).filter((name) => liar?.call.header(name) !== undefined);
    // What the gateway says by itself, and says of both: who it is, and from which address the call came.
    expect(seen.sort()).toEqual(
      Object.keys(forged)
        .filter((name) => honest?.call.header(name) !== undefined)
        .sort(),
    );
    expect(seen.filter((name) => liar?.call.header(name) === forged[name])).toEqual([]);
    expect(liar?.call.header("x-client-ip")).toBe(honest?.call.header("x-client-ip"));
    expect(liar?.call.caller).toEqual({ ...honest?.call.caller });
    expect(liar?.call.caller).toMatchObject({ kind: "user", userId: "user-1", via: "gateway" });
  });

  test("a claim without a token is nobody", async () => {
    await expect(get(protocol, { ...forged, authorization: "Bearer forged" })).rejects.toThrow();
    expect(edge.arrivals()).toEqual([]);
  });

  test("the request's id is Envoy's own, and its deadline is not made longer", async () => {
    await get(protocol, { "x-request-id": "chosen-by-me", "x-envoy-expected-rq-timeout-ms": "3600000" });
    const { call } = edge.arrivals()[0] ?? {};
    expect(call?.requestId).toMatch(/^[0-9a-f-]{36}$/);
    expect(Number(call?.deadline) - Date.now()).toBeLessThan(10_000);
  });
});

test("a deadline of a week is the policy's", async () => {
  await get("gRPC", { "grpc-timeout": "604800S" });
  expect(Number(edge.arrivals()[0]?.call.deadline) - Date.now()).toBeLessThan(10_000);
});

test("a trace may be continued, but a malformed one is left out", async () => {
  await get("REST", { traceparent: "00-zzzz-b7ad6b7169203331-01", tracestate: "x=1" });
  expect(edge.arrivals()[0]?.call.header("traceparent") ?? "").not.toContain("zzzz");
});

describe("headers over a raw socket", () => {
  const send = (lines: string[]) =>
    rawHttp(
      edge.port,
      [`GET /v1/tasks/${taskId} HTTP/1.1`, "host: edge", `authorization: ${authorization()}`, ...lines, "", ""].join(
        "\r\n",
      ),
    );

  test.each(["x_user_id: admin", "x_mesh_identity: forged", "x-forwarded_for: 6.6.6.6", "content_length: 5"])(
    "with an underscore are refused: %s",
    async (line) => {
      expect((await send([line])).status).toBe(400);
      expect(edge.arrivals()).toEqual([]);
    },
  );

  test.each([
    ["twice, in two spellings", ["X-Mesh-Identity: a", "x-mesh-identity: b"]],
    ["three times", ["x-client-ip: 1.1.1.1", "X-CLIENT-IP: 2.2.2.2", "x-client-ip: 3.3.3.3"]],
    ["forwarded for several", ["x-forwarded-for: 6.6.6.6", "x-forwarded-for: 7.7.7.7, 8.8.8.8"]],
  ])("%s do not arrive", async (_what, lines) => {
    expect((await send([...lines, "connection: close"])).status).toBe(200);
    const { call } = edge.arrivals()[0] ?? {};
    expect(call?.caller).toMatchObject({ kind: "user", userId: "user-1", via: "gateway" });
    expect(call?.header("x-client-ip")).not.toMatch(/^[1-8]\./);
  });

  test.each([
    "x-mesh-identity",
    "x-client-ip",
    "x-request-id",
    "x-forwarded-for",
    "x-real-ip",
    "authorization",
    "traceparent, x-client-ip",
    "content-length",
  ])("%s named as hop by hop: refused, or the same call", async (names) => {
    const { status } = await send([`connection: close, ${names}`]);
    expect([200, 400, 401]).toContain(status);
    for (const { call } of edge.arrivals()) {
      expect(call.caller).toMatchObject({ kind: "user", userId: "user-1", via: "gateway" });
      expect(call.header("x-client-ip")).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
      expect(call.requestId).toMatch(/^[0-9a-f-]{36}$/);
    }
  });

  test("two tokens are refused, not chosen from", async () => {
    const other = edge.gateway.issuer.token({ sub: "user-2" });
    const { status } = await send([`authorization: Bearer ${other}`, "connection: close"]);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(edge.arrivals()).toEqual([]);
  });
});
