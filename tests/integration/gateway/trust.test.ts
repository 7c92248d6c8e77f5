import { createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { TaskService } from "#gen/task/v1/task_service_pb.js";
import { signJws } from "#kit/auth/jws.ts";
import { keyPair, testIssuer } from "#kit/auth/testing.ts";
import { Code } from "#kit/errors.ts";
import { type Edge, type Protocol, startEdge } from "./edge.ts";

const taskId = "0190a1b2-0000-7000-8000-000000000001";
const protocols: Protocol[] = ["Connect JSON", "Connect", "gRPC-Web", "gRPC"];

let edge: Edge;

beforeAll(async () => {
  edge = await startEdge();
  edge.handlers.set("task.v1.TaskService/GetTask", async () => ({ task: { taskId } }));
  edge.handlers.set("auth.v1.AuthService/Login", async () => ({ accessToken: "a" }));
});
afterAll(() => edge.close());
beforeEach(() => {
  edge.arrivals.length = 0;
});

const get = (headers: Record<string, string>, url = edge.url) => fetch(`${url}/v1/tasks/${taskId}`, { headers });
const arrivedAtTask = () => edge.arrivals.filter(({ method }) => method.startsWith("task."));

describe("tokens", () => {
  const now = Math.floor(Date.now() / 1000);
  const stranger = testIssuer();
  const claims = { iss: "taskmesh", aud: "taskmesh", sub: "u", sid: "s", jti: "j", iat: now, exp: now + 900 };
  const [head = "", , signature = ""] = stranger.token().split(".");

  const forged: [string, () => string, string][] = [
    ["garbage", () => "Bearer garbage", "TOKEN_INVALID"],
    ["another scheme", () => "Basic dXNlcjpwdw==", "TOKEN_INVALID"],
    ["a token of a stranger", () => `Bearer ${stranger.token()}`, "TOKEN_INVALID"],
    [
      "an unknown key",
      () => `Bearer ${signJws({ typ: "at+jwt", kid: "key-9" }, claims, keyPair("x").key)}`,
      "TOKEN_INVALID",
    ],
    ["another audience", () => `Bearer ${edge.issuer.token({ aud: "mesh" })}`, "TOKEN_INVALID"],
    ["another issuer", () => `Bearer ${edge.issuer.token({ iss: "else" })}`, "TOKEN_INVALID"],
    ["the identity of a service", () => `Bearer ${edge.issuer.token({}, { typ: "svc+jwt" })}`, "TOKEN_INVALID"],
    [
      "changed claims",
      () => `Bearer ${head}.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.${signature}`,
      "TOKEN_INVALID",
    ],
    [
      "no algorithm",
      () => `Bearer ${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString("base64url")}.e30.`,
      "TOKEN_INVALID",
    ],
    ["an expired token", () => `Bearer ${edge.issuer.token({ iat: now - 1000, exp: now - 100 })}`, "TOKEN_EXPIRED"],
    ["a token of 5000 characters", () => `Bearer ${"a".repeat(5000)}`, "TOKEN_INVALID"],
  ];

  test.each(forged)("%s is a 401 that never reaches a service", async (_what, authorization, reason) => {
    const response = await get({ authorization: authorization() });
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toMatch(/^Bearer realm="taskmesh", error="invalid_token"/);
    expect(await response.json()).toMatchObject({ code: "UNAUTHENTICATED", reason });
    for (const protocol of protocols) {
      const call = createClient(TaskService, edge.transports[protocol]).getTask(
        { taskId },
        { headers: { authorization: authorization() } },
      );
      await expect(call).rejects.toMatchObject({ code: Code.UNAUTHENTICATED });
    }
    expect(arrivedAtTask()).toEqual([]);
  });

  test("no token is a 401 without an error, before the body is looked at", async () => {
    const response = await fetch(`${edge.url}/v1/tasks`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"nonsense":',
    });
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toBe('Bearer realm="taskmesh"');
    const connect = await fetch(`${edge.url}/task.v1.TaskService/CreateTask`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"nonsense":',
    });
    expect(connect.status).toBe(401);
    expect(connect.headers.get("www-authenticate")).toBe('Bearer realm="taskmesh"');
  });

  test("a good token arrives with the call, carried by the gateway", async () => {
    const authorization = `Bearer ${edge.issuer.token({ sub: "user-1" })}`;
    expect((await get({ authorization })).status).toBe(200);
    const [arrival] = arrivedAtTask();
    expect(arrival?.call.caller).toMatchObject({ kind: "user", userId: "user-1", via: "gateway" });
  });

  test("a public call goes on without its token", async () => {
    const response = await fetch(`${edge.url}/v1/auth/login`, {
      method: "POST",
      headers: { authorization: "Bearer garbage", "content-type": "application/json" },
      body: JSON.stringify({ email: "a@example.org", password: "p" }),
    });
    expect(response.status).toBe(200);
    expect(edge.arrivals[0]?.call.header("authorization")).toBeUndefined();
  });

  test("while the keys cannot be had, the answer is 503 and not 401", async () => {
    const other = await startEdge();
    other.handlers.set("auth.v1.AuthService/GetJwks", async () => {
      throw new Error("away");
    });
    const response = await get({ authorization: `Bearer ${other.issuer.token()}` }, other.url);
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("1");
    await other.close();
  });
});

describe("what a client claims of itself", () => {
  const spoofed = {
    "x-user-id": "admin",
    "x-user_id": "admin",
    "x-mesh-identity": "forged",
    "x-mesh-target": "auth",
    "x-mesh-caller": "task",
    "x-client-ip": "6.6.6.6",
    "x-real-ip": "6.6.6.6",
    "x-forwarded-host": "evil.example",
    "x-envoy-external-address": "6.6.6.6",
    "x-envoy-retry-on": "5xx",
    "x-envoy-upstream-rq-timeout-ms": "1",
    "x-envoy-max-retries": "9",
    "grpc-tags-bin": "AAAA",
    cookie: "session=1",
  };
  const names = Object.keys(spoofed).filter((name) => name !== "x-mesh-identity" && name !== "x-client-ip");

  test.each(["REST", ...protocols] as const)("does not arrive by %s", async (protocol) => {
    const headers = {
      authorization: `Bearer ${edge.issuer.token()}`,
      "x-forwarded-for": "6.6.6.6, 192.0.2.7",
      ...spoofed,
    };
    if (protocol === "REST") expect((await get(headers)).status).toBe(200);
    else await createClient(TaskService, edge.transports[protocol]).getTask({ taskId }, { headers });
    const { call } = arrivedAtTask()[0] ?? {};
    expect(names.filter((name) => call?.header(name) !== undefined)).toEqual([]);
    expect(call?.header("x-mesh-identity")).not.toBe("forged");
    expect(call?.header("x-client-ip")).toBe("192.0.2.7");
    expect(call?.caller).toMatchObject({ kind: "user", via: "gateway" });
  });

  test.each([
    [0, "6.6.6.6, 192.0.2.7", "127.0.0.1"],
    [1, "6.6.6.6, 192.0.2.7", "192.0.2.7"],
    [2, "6.6.6.6, 192.0.2.7", "6.6.6.6"],
    [3, "6.6.6.6, 192.0.2.7", "127.0.0.1"],
    [1, "6.6.6.6, nonsense", "127.0.0.1"],
    [1, "::ffff:192.0.2.7", "192.0.2.7"],
    [1, "2001:db8::7", "2001:db8::7"],
  ])("with %i trusted hops, %s is the client %s", async (trustedHops, forwarded, address) => {
    const other = await startEdge({ trustedHops });
    other.handlers.set("task.v1.TaskService/GetTask", async () => ({ task: { taskId } }));
    await get({ authorization: `Bearer ${other.issuer.token()}`, "x-forwarded-for": forwarded }, other.url);
    const arrival = other.arrivals.find(({ method }) => method.startsWith("task."));
    expect(arrival?.call.header("x-client-ip")).toBe(address);
    await other.close();
  });

  test("a request id is taken over when it is well formed, and is on every answer", async () => {
    const authorization = `Bearer ${edge.issuer.token()}`;
    const good = await get({ authorization, "x-request-id": "abc-123" });
    expect(good.headers.get("x-request-id")).toBe("abc-123");
    expect(arrivedAtTask()[0]?.call.requestId).toBe("abc-123");
    for (const bad of ["a b", "x".repeat(65), "a\tb", "<script>"]) {
      const response = await get({ authorization, "x-request-id": bad });
      expect(response.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
    }
    const missing = await fetch(`${edge.url}/nothing`, { headers: { "x-request-id": "abc-124" } });
    expect(missing.headers.get("x-request-id")).toBe("abc-124");
    const connect = await fetch(`${edge.url}/task.v1.TaskService/GetTask`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-request-id": "abc-125" },
      body: "{}",
    });
    expect(connect.headers.get("x-request-id")).toBe("abc-125");
  });
});

describe("RPCs that are not for the outside", () => {
  test.each([
    "/user.v1.UserService/BatchGetUsers",
    "/user.v1.UserService/CreateUser",
    "/auth.v1.AuthService/ListRevokedSessions",
    "/notification.v1.NotificationService/ListDeadLetters",
    "/notification.v1.NotificationService/RedriveDeadLetters",
    "/notification.v1.NotificationService/DiscardDeadLetters",
    "/mesh.test.v1.TestService/WithoutPolicy",
  ])("%s is not found by Connect or gRPC", async (path) => {
    const headers = { authorization: `Bearer ${edge.issuer.token()}` };
    const connect = await fetch(`${edge.url}${path}`, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body: "{}",
    });
    expect(connect.status).toBe(404);
    const web = await fetch(`${edge.url}${path}`, {
      method: "POST",
      headers: { ...headers, "content-type": "application/grpc-web+proto" },
      body: Buffer.alloc(5),
    });
    expect(web.status).toBe(404);
    expect(edge.arrivals.filter(({ method }) => `/${method}` === path)).toEqual([]);
  });
});
