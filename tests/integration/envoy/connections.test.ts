import type { Socket } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { RateClass } from "#gen/mesh/v1/options_pb.js";
import { envoyConfig } from "../../../envoy/config.ts";
import { allRpcs } from "../../../envoy/rpcs.ts";
import { readConfig } from "../../../gateway/config.ts";
import { until } from "../../_util/until.ts";
import { http } from "./client.ts";
import { startMesh } from "./mesh.ts";
import { openSocket } from "./raw-http.ts";
import { startWholeEdge, type WholeEdge } from "./whole-edge.ts";

const limit = 20;
const counted = (settings = {}) =>
  startWholeEdge({}, { redis: { url: inject("redis") }, connections: { limit, longestMs: 60_000 }, ...settings });

/** Whether the connection is let in, which its first answer shows; a refused one is closed without a byte. */
function serves(socket: Socket): Promise<boolean> {
  return new Promise((resolve) => {
    socket.once("data", () => resolve(true)).once("close", () => resolve(false));
    socket.on("error", () => {});
    socket.write("GET /health/live HTTP/1.1\r\nhost: edge\r\n\r\n");
  });
}

const held: Socket[] = [];
afterEach(() => {
  for (const socket of held.splice(0)) socket.destroy();
});

async function open(port: number, count: number, from: string): Promise<Socket[]> {
  const sockets = await Promise.all(Array.from({ length: count }, () => openSocket(port, from)));
  held.push(...sockets);
  return sockets;
}

const hold = async (port: number, count: number, from: string) =>
  Promise.all((await open(port, count, from)).map(serves));

describe("[004.09] the edge's numbers", () => {
  let edge: WholeEdge;
  beforeAll(async () => {
    edge = await counted();
  });
  afterAll(() => edge?.stop());

  test("are 4,096 connections, 20 for each address, and the instance with the fewest calls is next", () => {
    const at = [{ host: "127.0.0.1", port: 1 }];
    const services = { auth: at, user: at, task: at, notification: at };
    const ports = { directory: "/", edgePort: 1, meshPort: 2, adminPort: 3, gatewayHttp: at, gatewayGrpc: at };
    // biome-ignore lint/suspicious/noExplicitAny: two fields of a deep message
    const config = envoyConfig({ ...ports, services }) as any;
    expect(config.overload_manager.resource_monitors[1].typed_config.max_active_downstream_connections).toBe(4096);
    const policies = config.static_resources.clusters.map((cluster: { lb_policy: string }) => cluster.lb_policy);
    expect(new Set(policies)).toEqual(new Set(["LEAST_REQUEST"]));
    const { connections } = readConfig({
      MESH_ADDRESS: "a:1",
      MESH_IDENTITY_KEY_FILE: "/dev/null",
      MESH_IDENTITY_JWKS_FILE: "/dev/null",
    });
    expect(connections.limit).toBe(20);
  });

  test("twenty of one address are let in, and what is more is refused at once", async () => {
    const sockets = await open(edge.port, limit, "127.0.0.11");
    expect(await Promise.all(sockets.map(serves))).toEqual(Array(limit).fill(true));
    expect(await hold(edge.port, 5, "127.0.0.11")).toEqual(Array(5).fill(false));
    // Those that were let in go on, and another address is not concerned.
    expect(await Promise.all(sockets.slice(0, 3).map(serves))).toEqual([true, true, true]);
    expect(await hold(edge.port, limit, "127.0.0.12")).toEqual(Array(limit).fill(true));
  });

  test("more connections than there may be in all are refused, whosever they are", async () => {
    const envoy = await startMesh({ maxConnections: 30 });
    const addresses = ["127.0.0.21", "127.0.0.22", "127.0.0.23", "127.0.0.24"];
    const stay = (await Promise.all(addresses.map((from) => hold(envoy.edge, 10, from)))).flat().filter(Boolean);
    expect(stay).toHaveLength(30);
    await envoy.stop();
  });

  test("calls of an address: 50 a second, 10 to sign in, 5 that are urgent, each from a bucket of its own", async () => {
    // A fifth of it, and an RPC that is urgent here. A bucket holds ten seconds' worth.
    const rpcs = allRpcs().map((rpc) =>
      rpc.path.endsWith("/MarkRead") ? { ...rpc, rateClass: RateClass.URGENT } : rpc,
    );
    const envoy = await startMesh({ rateLimitScale: 0.2 }, rpcs);
    const urgent = "/notification.v1.NotificationService/MarkRead";
    for (const [path, rate] of [
      [urgent, 1],
      ["/v1/auth/login", 2],
      ["/v1/tasks", 10],
    ] as const) {
      const begin = performance.now();
      const answers = await Promise.all(
        Array.from({ length: rate * 20 }, () => http(envoy.edge, path, { method: "POST" })),
      );
      const seconds = Math.ceil((performance.now() - begin) / 1000);
      const allowed = answers.filter(({ status }) => status !== 429).length;
      expect(allowed).toBeGreaterThanOrEqual(rate * 10);
      expect(allowed).toBeLessThanOrEqual(rate * (10 + seconds));
    }
    await envoy.stop();
  });
});

describe("counting the connections of an address", () => {
  let edge: WholeEdge;
  beforeAll(async () => {
    edge = await counted();
  });
  afterAll(() => edge?.stop());

  test("one that ends makes room for one", async () => {
    await hold(edge.port, limit, "127.0.0.14");
    expect(await hold(edge.port, 1, "127.0.0.14")).toEqual([false]);
    held[0]?.destroy();
    await until("a place", async () => (await hold(edge.port, 1, "127.0.0.14"))[0]);
    expect(await hold(edge.port, 1, "127.0.0.14")).toEqual([false]);
  });

  test("those that say nothing count too", async () => {
    await open(edge.port, limit, "127.0.0.15");
    await until("all to be counted", async () => !(await hold(edge.port, 1, "127.0.0.15"))[0]);
  });

  test("of many at once exactly twenty stay", async () => {
    expect((await hold(edge.port, 60, "127.0.0.16")).filter(Boolean)).toHaveLength(limit);
  });

  test("what one Envoy lets in counts at another", async () => {
    const other = await counted();
    await hold(edge.port, limit, "127.0.0.17");
    expect(await hold(other.port, 1, "127.0.0.17")).toEqual([false]);
    await other.stop();
  });

  test("an end that nobody told of is forgotten in time", async () => {
    const short = await counted({ connections: { limit: 1, longestMs: 500 } });
    expect(await hold(short.port, 1, "127.0.0.18")).toEqual([true]);
    // The first is still there, but its time is over.
    await until("room for the second", async () => (await hold(short.port, 1, "127.0.0.18"))[0]);
    await short.stop();
  });

  test.each([
    ["Redis is away", { redis: { url: "redis://127.0.0.1:1" } }],
    ["there is no Redis", { redis: undefined }],
  ])("while %s, all are let in", async (_what, settings) => {
    const blind = await counted({ ...settings, connections: { limit: 1, longestMs: 60_000 } });
    expect(await hold(blind.port, 30, "127.0.0.19")).toEqual(Array(30).fill(true));
    await blind.stop();
  });

  test("while no gateway is there to count, all are let in", async () => {
    const { gateway, envoy, port } = await counted({ connections: { limit: 1, longestMs: 60_000 } });
    await gateway.close();
    await envoy.untilHealthy("gateway_grpc", 0);
    expect(await hold(port, 30, "127.0.0.20")).toEqual(Array(30).fill(true));
    await envoy.stop();
  });

  test("a gateway that stops lets go of the Envoy that tells it of ends", async () => {
    const { gateway, envoy, port } = await counted({ connections: { limit: 1, longestMs: 60_000 } });
    const [first] = await open(port, 1, "127.0.0.21");
    expect(await serves(first as Socket)).toBe(true);
    first?.destroy();
    await until("the end to be told of", async () => (await hold(port, 1, "127.0.0.21"))[0]);
    await gateway.close();
    await envoy.stop();
  });

  test("nobody outside can ask or tell the counter", async () => {
    for (const path of [
      "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit",
      "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs",
    ]) {
      for (const type of ["application/json", "application/proto", "application/grpc-web+proto"]) {
        const headers = { "content-type": type };
        const { status, headers: told } = await http(edge.port, path, { method: "POST", headers, body: "{}" });
        expect(status === 404 || told["grpc-status"] === "12").toBe(true);
      }
    }
  });
});
