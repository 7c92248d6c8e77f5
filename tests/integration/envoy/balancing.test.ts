import { request } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import type { LbPolicy } from "../../../envoy/balancing.ts";
import { until } from "../../_util/until.ts";
import { grpc, http } from "./client.ts";
import { startMesh, type TestMesh } from "./mesh.ts";
import { type GrpcUpstream, startGrpcUpstream, startHttpUpstream, type Upstream } from "./upstream.ts";

/** In a test's busy process a health check may be late: that is no sign that an instance has gone. */
const patience = { interval: 250, unhealthyInterval: 250, timeout: 5000, failures: 3, passes: 1 };

let mesh: TestMesh;
const opened: Upstream[] = [];
afterEach(async () => {
  await mesh?.stop();
  await Promise.all(opened.splice(0).map((upstream) => upstream.stop()));
});

/** Three gateways behind the edge; the first of them answers when it is let. */
async function threeGateways(lbPolicy?: LbPolicy, waits = async () => {}): Promise<Upstream[]> {
  mesh = await startMesh({ ...(lbPolicy && { lbPolicy }), health: patience });
  const gateways = await Promise.all([waits, undefined, undefined].map((wait) => startHttpUpstream(wait)));
  opened.push(...gateways);
  await mesh.setEndpoints("gateway_http", gateways);
  await mesh.untilHealthy("gateway_http", 3);
  return gateways;
}

/** One request over a connection of its own, from an address of this machine. */
function get(localAddress = "127.0.0.1"): Promise<void> {
  return new Promise((resolve, reject) => {
    const to = { host: "127.0.0.1", port: mesh.edge, path: "/v1/tasks", localAddress, agent: false };
    request(to, (response) => response.resume().on("end", resolve))
      .on("error", reject)
      .end();
  });
}

/** A gateway that holds its answers back; requests are sent one after the other, over those that it holds. */
function holding() {
  const gate = Promise.withResolvers<void>();
  let arrived = Promise.withResolvers<void>();
  const waits = async () => {
    arrived.resolve();
    await gate.promise;
  };
  const send = async (count: number) => {
    const held: Promise<void>[] = [];
    for (let sent = 0; sent < count; sent++) {
      arrived = Promise.withResolvers();
      const answer = get();
      held.push(answer);
      await Promise.race([answer, arrived.promise]);
    }
    gate.resolve();
    await Promise.all(held);
  };
  return { waits, send };
}

const shares = (upstreams: Upstream[]) => upstreams.map(({ seen }) => seen.length);

/** Takes one instance out of health, and answers once Envoy knows it. */
async function away(cluster: string, upstream: Upstream): Promise<void> {
  upstream.serving = false;
  await mesh.untilHealthy(cluster, 2);
  upstream.seen.length = 0;
}

describe("each policy deals out in its own way [001.09]", () => {
  test("round robin: each as many, however slow it is; one that is not healthy none [000.08]", async () => {
    const { waits, send } = holding();
    const gateways = await threeGateways("ROUND_ROBIN", waits);
    await send(90);
    for (const share of shares(gateways)) expect(Math.abs(share - 30)).toBeLessThanOrEqual(2);

    const [slow, ...others] = gateways as [Upstream, ...Upstream[]];
    await away("gateway_http", slow);
    for (const { seen } of others) seen.length = 0;
    await send(60);
    const [none, ...rest] = shares(gateways);
    expect(none).toBe(0);
    for (const share of rest) expect(Math.abs(share - 30)).toBeLessThanOrEqual(2);
  });

  test("least requests, unless told otherwise: fewer for a slow one; one that is not healthy none", async () => {
    const { waits, send } = holding();
    const gateways = await threeGateways(undefined, waits);
    await send(180);
    const [slow = 0, ...others] = shares(gateways);
    // Of two drawn instances the less busy one: all but a ninth pass the slow one by, where a third would be its share.
    expect(slow).toBeLessThan(40);
    expect(Math.min(...others)).toBeGreaterThan(50);

    await away("gateway_http", gateways[0] as Upstream);
    await send(30);
    expect(gateways[0]?.seen).toEqual([]);
  });

  test("hash of the address: a client keeps its gateway, and only those of one that is away move", async () => {
    const gateways = await threeGateways("IP_HASH");
    const clients = Array.from({ length: 24 }, (_, index) => `127.0.0.${index + 2}`);
    const homeOf = async (client: string) => {
      for (const { seen } of gateways) seen.length = 0;
      for (let times = 0; times < 4; times++) await get(client);
      return gateways.flatMap(({ seen }, index) => (seen.length > 0 ? [index] : []));
    };
    const homes = async () => {
      const found = new Map<string, number[]>();
      for (const client of clients) found.set(client, await homeOf(client));
      return found;
    };
    const before = await homes();
    expect([...before.values()].every((home) => home.length === 1)).toBe(true);
    expect(new Set([...before.values()].flat()).size).toBe(3);

    await away("gateway_http", gateways[0] as Upstream);
    const after = await homes();
    const moved = clients.filter((client) => after.get(client)?.[0] !== before.get(client)?.[0]);
    const orphans = clients.filter((client) => before.get(client)?.[0] === 0);
    expect([...after.values()].every((home) => home.length === 1 && home[0] !== 0)).toBe(true);
    expect(orphans.filter((client) => !moved.includes(client))).toEqual([]);
    // Maglev gives the shares of the one that has gone to the others and leaves nearly all else where it was.
    expect(moved.length - orphans.length).toBeLessThanOrEqual(3);
  });
});

test("behind the edge are three instances, kept connections, upgrades, and who asks: the address and the scheme, whatever the caller claims [002.04]", async () => {
  const gate = Promise.withResolvers<void>();
  const gateways = await threeGateways("LEAST_REQUEST", () => gate.promise);
  const [held] = gateways as [Upstream, Upstream, Upstream];
  await mesh.setEndpoints("gateway_http", [held]);
  await mesh.untilHealthy("gateway_http", 1);
  const connections = () => mesh.stat("cluster.gateway_http.upstream_cx_total");
  const first = await connections();
  const together = Array.from({ length: 32 }, () => get());
  await until("32 requests at once", () => held.seen.length === 32);
  gate.resolve();
  await Promise.all(together);
  const opened32 = await connections();
  expect(opened32 - first).toBeGreaterThanOrEqual(31);
  await Promise.all(Array.from({ length: 32 }, () => get()));
  expect(await connections()).toBe(opened32);

  await mesh.setEndpoints("gateway_http", gateways);
  await mesh.untilHealthy("gateway_http", 3);
  await until("every instance to have a request", async () => {
    await get("127.0.0.9");
    return shares(gateways).every((share) => share > 0);
  });
  const asked = gateways.flatMap(({ seen }) => seen).filter(({ headers }) => headers["x-real-ip"] === "127.0.0.9");
  expect(asked.length).toBeGreaterThan(0);
  for (const { headers } of asked) expect(headers).toMatchObject({ "x-forwarded-proto": "http" });
  const forged = { "x-real-ip": "6.6.6.6", "x-forwarded-for": "6.6.6.6", "x-forwarded-proto": "https" };
  const upgrade = {
    connection: "upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "AA",
  };
  expect(await http(mesh.edge, "/v1/live", { headers: { ...forged, ...upgrade } })).toMatchObject({ status: 101 });
  const upgraded = gateways.flatMap(({ seen }) => seen).find(({ path }) => path === "/v1/live");
  expect(upgraded?.headers).toMatchObject({
    upgrade: "websocket",
    "x-real-ip": "127.0.0.1",
    "x-forwarded-proto": "http",
  });
  expect(upgraded?.headers["x-forwarded-for"]).toMatch(/^[\d.]+$/);
  expect(upgraded?.headers["x-forwarded-for"]).not.toBe("6.6.6.6");
});

test("within the mesh, the hash is that of the address for which the gateway calls", async () => {
  mesh = await startMesh({ lbPolicy: "IP_HASH", health: patience });
  const tasks: GrpcUpstream[] = await Promise.all([1, 2, 3].map(() => startGrpcUpstream()));
  opened.push(...tasks);
  await mesh.setEndpoints("task", tasks);
  await mesh.untilHealthy("task", 3);
  const homeOf = async (client: string) => {
    for (const { seen } of tasks) seen.length = 0;
    for (let times = 0; times < 4; times++)
      await grpc(mesh.mesh, "/task.v1.TaskService/GetTask", { "x-client-ip": client });
    return tasks.flatMap(({ seen }, index) => (seen.length > 0 ? [index] : []));
  };
  const homes = await until("every instance to have a client", async () => {
    const found: number[][] = [];
    for (let index = 1; index <= 12; index++) found.push(await homeOf(`203.0.113.${index}`));
    return new Set(found.flat()).size === 3 && found;
  });
  expect(homes.every((home) => home.length === 1)).toBe(true);
});
