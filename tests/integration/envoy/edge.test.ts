import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { grpc, http } from "./client.ts";
import { startMesh, type TestMesh } from "./mesh.ts";

const unimplemented = 12;
const json = { "content-type": "application/json" };
const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

describe("the edge", () => {
  let mesh: TestMesh;
  beforeAll(async () => {
    mesh = await startMesh();
  });
  afterAll(() => mesh?.stop());
  beforeEach(() => {
    mesh.gatewayHttp.seen.length = 0;
    mesh.gatewayGrpc.seen.length = 0;
  });
  const reached = () => [...mesh.gatewayHttp.seen, ...mesh.gatewayGrpc.seen];

  describe("sends", () => {
    test("REST and Connect to the gateway's HTTP/1.1 port", async () => {
      expect((await http(mesh.edge, "/v1/tasks?page_size=2")).body).toBe('{"from":"http"}');
      expect(
        (await http(mesh.edge, "/task.v1.TaskService/CreateTask", { method: "POST", headers: json, body: "{}" }))
          .status,
      ).toBe(200);
      expect(mesh.gatewayHttp.seen.map(({ path }) => path)).toEqual([
        "/v1/tasks?page_size=2",
        "/task.v1.TaskService/CreateTask",
      ]);
      expect(mesh.gatewayGrpc.seen).toEqual([]);
    });

    test("gRPC to its h2c port", async () => {
      expect(await grpc(mesh.edge, "/task.v1.TaskService/GetTask")).toMatchObject({ status: 200, grpcStatus: 0 });
      expect(
        await grpc(mesh.edge, "/task.v1.TaskService/GetTask", { "content-type": "application/grpc+proto" }),
      ).toMatchObject({ grpcStatus: 0 });
      expect(mesh.gatewayGrpc.seen.map(({ path }) => path)).toEqual(Array(2).fill("/task.v1.TaskService/GetTask"));
      expect(mesh.gatewayHttp.seen).toEqual([]);
    });

    test.each(["application/grpc-web+proto", "application/grpc-web-text"])(
      "%s there too, from HTTP/1.1",
      async (type) => {
        await http(mesh.edge, "/task.v1.TaskService/GetTask", {
          method: "POST",
          headers: { "content-type": type },
          body: "",
        });
        expect(mesh.gatewayGrpc.seen).toHaveLength(1);
        expect(mesh.gatewayHttp.seen).toEqual([]);
      },
    );

    test("gRPC health and reflection there too", async () => {
      await grpc(mesh.edge, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo");
      await grpc(mesh.edge, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo");
      await grpc(mesh.edge, "/grpc.health.v1.Health/Watch");
      expect(mesh.gatewayGrpc.seen).toHaveLength(3);
    });

    test("WebSocket through on the paths of streams only", async () => {
      const headers = {
        connection: "upgrade",
        upgrade: "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "AAAA",
      };
      for (const path of ["/v1/live", "/v1/notifications:watch"])
        expect(await http(mesh.edge, path, { headers })).toMatchObject({ status: 101 });
      expect((await http(mesh.edge, "/v1/tasks", { headers })).status).toBe(403);
      expect(mesh.gatewayHttp.seen.map(({ path }) => path)).toEqual(["/v1/live", "/v1/notifications:watch"]);
    });
  });

  describe("refuses", () => {
    const internal = [
      "/user.v1.UserService/BatchGetUsers",
      "/user.v1.UserService/CreateUser",
      "/auth.v1.AuthService/ListRevokedSessions",
      "/notification.v1.NotificationService/ListDeadLetters",
      "/notification.v1.NotificationService/RedriveDeadLetters",
      "/notification.v1.NotificationService/DiscardDeadLetters",
    ];

    test.each([...internal, "/task.v1.TaskService/NoSuch", "/secret.v1.Other/Call", "/nothing"])(
      "gRPC to %s",
      async (path) => {
        expect(await grpc(mesh.edge, path)).toMatchObject({ grpcStatus: unimplemented });
        expect(reached()).toEqual([]);
      },
    );

    const spellings = [
      "/user.v1.UserService/%42atchGetUsers",
      "//user.v1.UserService//BatchGetUsers",
      "/x/../user.v1.UserService/BatchGetUsers",
      "/./user.v1.UserService/BatchGetUsers",
      "/user.v1.UserService/BatchGetUsers/",
      "/user.v1.UserService/BatchGetUsers?x=1",
      "/user%2ev1.UserService/BatchGetUsers",
    ];
    test.each([...internal, ...spellings])("HTTP to %s", async (path) => {
      const answer = await http(mesh.edge, path, { method: "POST", headers: json, body: "{}" });
      expect(answer.status).toBe(404);
      expect(reached()).toEqual([]);
    });

    test.each(["/v1/tasks%2f..%2fsecret", "/v1%5ctasks", "/v1/tasks/%2F"])("the escaped slash of %s", async (path) => {
      const answer = await http(mesh.edge, path);
      expect(answer.status).toBe(400);
      expect(answer.headers["content-type"]).toBe("application/problem+json");
      expect(reached()).toEqual([]);
    });

    test("a header with an underscore, which could pass for one with a dash", async () => {
      expect((await http(mesh.edge, "/v1/tasks", { headers: { x_user_id: "1" } })).status).toBe(400);
      expect(reached()).toEqual([]);
    });

    test("a body of two lengths", async () => {
      const headers = { ...json, "content-length": "4", "transfer-encoding": "chunked" };
      const answer = await http(mesh.edge, "/v1/tasks", { method: "POST", headers, body: "{}" }).catch(() => ({
        status: 400,
      }));
      expect(answer.status).toBe(400);
      expect(reached()).toEqual([]);
    });
  });

  describe("lets nobody say who they are", () => {
    const forged = {
      "x-user-id": "1",
      "x-mesh-identity": "task",
      "x-mesh-anything": "1",
      "x-taskmesh-role": "admin",
      "x-real-ip": "10.0.0.1",
      "x-forwarded-for": "10.0.0.1",
      "x-forwarded-proto": "https",
      "x-forwarded-host": "evil.example",
      forwarded: "for=10.0.0.1",
      "x-envoy-external-address": "10.0.0.1",
      "x-envoy-internal": "true",
      "x-original-url": "/admin",
      "x-request-id": "chosen-by-me",
    };

    test("over HTTP", async () => {
      await http(mesh.edge, "/v1/me", { headers: forged });
      const headers = mesh.gatewayHttp.seen[0]?.headers ?? {};
      expect(headers).toMatchObject({
        "x-real-ip": "127.0.0.1",
        "x-forwarded-proto": "http",
      });
      expect(headers["x-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
      const kept = Object.keys(forged).filter((name) => headers[name] === forged[name as keyof typeof forged]);
      expect(kept).toEqual([]);
      expect(Object.keys(headers).filter((name) => /^x-(envoy|mesh|taskmesh)-/.test(name))).toEqual([]);
    });

    test("over gRPC", async () => {
      await grpc(mesh.edge, "/user.v1.UserService/GetMe", forged);
      const headers = mesh.gatewayGrpc.seen[0]?.headers ?? {};
      expect(Object.keys(headers).filter((name) => /^x-(envoy|mesh|taskmesh|user)-/.test(name))).toEqual([]);
      expect(headers).toMatchObject({ "x-real-ip": "127.0.0.1" });
    });

    test("nor steer Envoy's own timeouts and retries", async () => {
      mesh.gatewayGrpc.answer = 14;
      await grpc(mesh.edge, "/user.v1.UserService/GetMe", {
        "x-envoy-retry-grpc-on": "unavailable",
        "x-envoy-max-retries": "5",
      });
      mesh.gatewayGrpc.answer = 0;
      expect(mesh.gatewayGrpc.seen).toHaveLength(1);
    });
  });

  test("carries the trace, the token and the caller's deadline on", async () => {
    const headers = { traceparent, authorization: "Bearer abc", "grpc-timeout": "500m" };
    await grpc(mesh.edge, "/user.v1.UserService/GetMe", headers);
    expect(mesh.gatewayGrpc.seen[0]?.headers).toMatchObject(headers);
  });

  test("writes paths in one spelling", async () => {
    await http(mesh.edge, "//v1///tasks/./x/../7");
    expect(mesh.gatewayHttp.seen[0]?.path).toBe("/v1/tasks/7");
  });

  test("tells the request's id, and nothing of its inside", async () => {
    const { headers } = await http(mesh.edge, "/v1/tasks");
    expect(headers["x-request-id"]).toBe(mesh.gatewayHttp.seen[0]?.headers["x-request-id"]);
    expect(headers.server).toBe("taskmesh");
    expect(Object.keys(headers).filter((name) => name.startsWith("x-envoy"))).toEqual([]);
  });

  test("logs no query, no token and no header", async () => {
    await http(mesh.edge, "/v1/tasks?token=canary-query", {
      headers: { authorization: "Bearer canary-token", cookie: "canary-cookie" },
    });
    await expect.poll(() => mesh.log()).toContain('"path":"/v1/tasks"');
    expect(await mesh.log()).not.toContain("canary");
  });
});
