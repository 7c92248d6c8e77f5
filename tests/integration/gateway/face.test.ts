import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Health, HealthCheckResponse_ServingStatus as Serving } from "#gen/grpc/health/v1/health_pb.js";
import { ServerReflection } from "#gen/grpc/reflection/v1/reflection_pb.js";
import { keyPair } from "#kit/auth/testing.ts";
import { Code } from "#kit/errors.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import { readConfig } from "../../../gateway/config.ts";
import { startGateway } from "../../../gateway/server.ts";
import { until } from "../../_util/until.ts";
import { type Edge, startEdge } from "./edge.ts";

let edge: Edge;
beforeAll(async () => {
  edge = await startEdge();
});
afterAll(() => edge.close());

const json = async (path: string) => {
  const response = await fetch(`${edge.url}${path}`);
  return { status: response.status, body: await response.json(), headers: response.headers };
};

describe("health", () => {
  test("over HTTP: the gateway's own, and that of each service through the mesh", async () => {
    expect(await json("/health/live")).toMatchObject({ status: 200, body: { status: "live" } });
    expect(await json("/health/ready")).toMatchObject({ status: 200, body: { status: "ready" } });
    const { status, body } = await json("/health/services");
    expect(status).toBe(200);
    const up = { status: "SERVING" };
    expect(body).toMatchObject({ status: "healthy", services: { auth: up, user: up, task: up, notification: up } });
    expect((await json("/health")).body).toMatchObject({ status: "healthy", services: { task: "SERVING" } });
  });

  test("not ready is a 503 that Envoy believes at once, while /health/live stays", async () => {
    edge.lifecycle.ready = false;
    const { status, headers } = await json("/health/ready");
    expect(status).toBe(503);
    expect(headers.get("x-envoy-immediate-health-check-fail")).toBe("true");
    expect((await json("/health/live")).status).toBe(200);
    const health = createClient(Health, edge.transports.gRPC);
    expect((await health.check({})).status).toBe(Serving.NOT_SERVING);
    edge.lifecycle.ready = true;
    expect((await json("/health/ready")).status).toBe(200);
  });

  test("over gRPC, for the edge and each of its services", async () => {
    const health = createClient(Health, edge.transports.gRPC);
    expect((await health.check({})).status).toBe(Serving.SERVING);
    expect((await health.check({ service: "task.v1.TaskService" })).status).toBe(Serving.SERVING);
    await expect(health.check({ service: "nothing" })).rejects.toMatchObject({ code: Code.NOT_FOUND });
    for await (const { status } of health.watch({})) {
      expect(status).toBe(Serving.SERVING);
      break;
    }
  });
});

describe("reflection", () => {
  const ask = async (messageRequest: { case: "listServices" | "fileContainingSymbol"; value: string }) => {
    const client = createClient(ServerReflection, edge.transports.gRPC);
    for await (const { messageResponse } of client.serverReflectionInfo(
      (async function* () {
        yield { messageRequest };
      })(),
    )) {
      return messageResponse;
    }
    throw new Error("no answer");
  };

  test("lists the services of the edge", async () => {
    const answer = await ask({ case: "listServices", value: "" });
    const names = answer.case === "listServicesResponse" ? answer.value.service.map(({ name }) => name) : [];
    expect(names).toEqual(
      expect.arrayContaining(["auth.v1.AuthService", "task.v1.TaskService", "grpc.health.v1.Health"]),
    );
  });

  test("describes what may be called from outside and nothing else", async () => {
    const answer = await ask({ case: "fileContainingSymbol", value: "user.v1.UserService" });
    const files = answer.case === "fileDescriptorResponse" ? answer.value.fileDescriptorProto : [];
    const [service] = files
      .map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes))
      .flatMap((file) => file.service);
    expect(service?.method.map(({ name }) => name)).toEqual(["GetMe", "UpdateMe", "LookupUser"]);
    const hidden = await ask({ case: "fileContainingSymbol", value: "user.v1.UserService.BatchGetUsers" });
    expect(hidden).toMatchObject({ case: "errorResponse", value: { errorCode: Code.NOT_FOUND } });
  });
});

describe("headers of answers", () => {
  test.each(["/", "/v1/tasks", "/nothing", "/health", "/%zz"])("%s is not sniffed, framed or run", async (path) => {
    const { headers } = await fetch(`${edge.url}${path}`);
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("content-security-policy")).toBe("default-src 'none'; frame-ancestors 'none'");
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("x-request-id")).not.toBeNull();
    expect(headers.get("server")).toBeNull();
  });

  test("the key set may be kept, tokens may not", async () => {
    const { status, body, headers } = await json("/.well-known/jwks.json");
    expect({ status, body }).toEqual({ status: 200, body: { keys: edge.issuer.jwks.keys } });
    expect(headers.get("cache-control")).toBe("public, max-age=60");
    edge.handlers.set("auth.v1.AuthService/Login", async () => ({ accessToken: "a" }));
    const login = await fetch(`${edge.url}/v1/auth/login`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ email: "a@example.org", password: "p" }),
    });
    expect(login.headers.get("cache-control")).toBe("no-store");
  });

  test("the root says where to go", async () => {
    expect((await json("/")).body).toMatchObject({ name: "taskmesh", links: { health: "/health" } });
  });
});

describe("other origins", () => {
  const origin = "https://app.example";
  const preflight = (url: string, from: string) =>
    fetch(`${url}/v1/tasks`, { method: "OPTIONS", headers: { origin: from, "access-control-request-method": "POST" } });

  test("are refused unless they are named", async () => {
    const response = await preflight(edge.url, origin);
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
    expect(response.headers.get("cross-origin-resource-policy")).toBe("same-origin");
  });

  test("those that are named may call, and read the headers they need", async () => {
    const other = await startEdge({ cors: { origins: [origin] } });
    const allowed = await preflight(other.url, origin);
    expect(allowed.status).toBe(204);
    expect(allowed.headers.get("access-control-allow-origin")).toBe(origin);
    expect(allowed.headers.get("access-control-allow-headers")).toContain("authorization");
    // For the cookie of a session.
    expect(allowed.headers.get("access-control-allow-credentials")).toBe("true");
    const call = await fetch(`${other.url}/task.v1.TaskService/GetTask`, {
      method: "POST",
      headers: { origin, "content-type": "application/json" },
      body: "{}",
    });
    expect(call.headers.get("access-control-allow-origin")).toBe(origin);
    expect(call.headers.get("vary")).toContain("origin");
    const evil = await preflight(other.url, "https://evil.example");
    expect(evil.headers.get("access-control-allow-origin")).toBeNull();
    await other.close();
  });
});

test("a gateway that stops says so first, and then takes no more", async () => {
  const folder = await mkdtemp(join(tmpdir(), "gateway-"));
  const { publicJwk, privateJwk } = keyPair("gateway");
  const files = {
    MESH_IDENTITY_KEY_FILE: join(folder, "key.json"),
    MESH_IDENTITY_JWKS_FILE: join(folder, "jwks.json"),
  };
  await writeFile(files.MESH_IDENTITY_KEY_FILE, JSON.stringify(privateJwk));
  await writeFile(files.MESH_IDENTITY_JWKS_FILE, JSON.stringify({ keys: [publicJwk] }));
  const lifecycle = new Lifecycle({ noticeMs: 500 });
  const { httpPort } = await startGateway(readConfig({ ...files, MESH_ADDRESS: "127.0.0.1:1" }), lifecycle);
  lifecycle.ready = true;
  const url = `http://127.0.0.1:${httpPort}`;
  expect((await fetch(`${url}/health/ready`)).status).toBe(200);
  const services = await fetch(`${url}/health/services`);
  expect(services.status).toBe(503);
  expect(await services.text()).not.toContain("127.0.0.1");
  const stopped = lifecycle.stop();
  expect((await fetch(`${url}/health/ready`)).status).toBe(503);
  await stopped;
  await until("the port is closed", () =>
    fetch(url).then(
      () => false,
      () => true,
    ),
  );
  await rm(folder, { recursive: true });
});
