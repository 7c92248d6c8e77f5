import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { processes } from "../topology.ts";
import { Edge } from "./edge.ts";
import { parseHosts, passesHealth } from "./envoy-hosts.ts";
import { Instance } from "./instance.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "taskmesh-edge-"));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

function instance(name: string, ports: Record<string, number>): Instance {
  const quiet = { changed: () => {}, up: async () => {}, down: async () => {}, say: () => {} };
  const spec = { args: [], env: {}, command: "", logFile: "", stopSignal: "SIGTERM" as const, stopGrace: 0 };
  return new Instance({ ...spec, name, startTimeout: 0, probe: async () => true }, ports, quiet);
}

/** The addresses in an endpoint file, each with the port where its health is asked. */
async function endpoints(cluster: string): Promise<[number, number | undefined][]> {
  const { resources } = JSON.parse(await readFile(join(folder, `endpoints-${cluster}.json`), "utf8"));
  return resources[0].endpoints[0].lb_endpoints.map(
    ({ endpoint }: { endpoint: Record<string, { port_value: number; socket_address: { port_value: number } }> }) => [
      endpoint.address?.socket_address.port_value,
      endpoint.health_check_config?.port_value,
    ],
  );
}

test("an instance stands behind its clusters from ready to stopped, the gateway with its HTTP port for health", async () => {
  const edge = new Edge(folder);
  const [first, second] = [
    instance("gateway-1", { http: 1, grpc: 2, admin: 3 }),
    instance("gateway-2", { http: 4, grpc: 5, admin: 6 }),
  ] as const;
  await Promise.all([edge.add(first, processes.gateway), edge.add(second, processes.gateway)]);
  expect((await endpoints("gateway_http")).sort()).toEqual([
    [1, undefined],
    [4, undefined],
  ]);
  expect((await endpoints("gateway_grpc")).sort()).toEqual([
    [2, 1],
    [5, 4],
  ]);
  await edge.remove(first, processes.gateway);
  expect(await endpoints("gateway_grpc")).toEqual([[5, 4]]);
});

test("the mesh has settled once Envoy calls every instance healthy", async () => {
  const edge = new Edge(folder);
  await edge.add(instance("task-1", { grpc: 7, admin: 8 }), processes.task);
  let asked = 0;
  const admin = createServer((_, response) => {
    asked++;
    response.end(`task::127.0.0.1:7::health_flags::${asked < 3 ? "/failed_active_hc" : "healthy"}\n`);
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => admin.once("listening", resolve));
  const { port } = admin.address() as AddressInfo;
  expect(await edge.settle(port, new AbortController().signal)).toBe(true);
  expect(asked).toBe(3);
  admin.close();
  admin.closeAllConnections();
});

test("Envoy's page is read host by host", () => {
  const page = [
    "user::default_priority::max_connections::20",
    "user::127.0.0.1:9::rq_active::1",
    "user::127.0.0.1:9::rq_error::2",
    "user::127.0.0.1:9::rq_success::68",
    "user::127.0.0.1:9::health_flags::healthy",
    "task::127.0.0.1:8::health_flags::/failed_eds_health/eds_status_draining",
  ];
  const hosts = parseHosts(page.join("\n"));
  expect([...hosts.keys()]).toEqual(["user::127.0.0.1:9", "task::127.0.0.1:8"]);
  expect(hosts.get("user::127.0.0.1:9")).toEqual({ flags: "healthy", calls: 70, errors: 2 });
  expect(passesHealth(hosts.get("task::127.0.0.1:8")?.flags ?? "")).toBe(true);
  expect(passesHealth("/failed_active_hc/failed_eds_health")).toBe(false);
});

test("a release deals out shares, keeps an instance back, and gives all the same again", async () => {
  const edge = new Edge(folder);
  await edge.direct(new Map([["task-2", { standby: true }]]));
  await edge.add(instance("task-1", { grpc: 1, admin: 2 }), processes.task);
  await edge.add(instance("task-2", { grpc: 3, admin: 4 }), processes.task);
  expect(await shares()).toEqual([
    [undefined, undefined],
    [undefined, "DRAINING"],
  ]);
  await edge.direct(
    new Map([
      ["task-1", { weight: 95 }],
      ["task-2", { weight: 5 }],
    ]),
  );
  expect(await shares()).toEqual([
    [95, undefined],
    [5, undefined],
  ]);
  await edge.direct(new Map());
  expect(await shares()).toEqual([
    [undefined, undefined],
    [undefined, undefined],
  ]);

  async function shares() {
    const { resources } = JSON.parse(await readFile(join(folder, "endpoints-task.json"), "utf8"));
    return resources[0].endpoints[0].lb_endpoints.map((host: Record<string, unknown>) => [
      host.load_balancing_weight,
      host.health_status,
    ]);
  }
});

test("an instance is gone when Envoy no longer lists it, not when the file is written", async () => {
  const edge = new Edge(folder);
  const task = instance("task-1", { grpc: 7, admin: 8 });
  let asked = 0;
  const admin = createServer((_, response) => {
    response.end(
      ++asked < 3 ? "task::127.0.0.1:7::health_flags::healthy\n" : "task::default_priority::max_connections::20\n",
    );
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => admin.once("listening", resolve));
  const { port } = admin.address() as AddressInfo;
  expect(await edge.hasLetGo(task, processes.task, port)).toBe(true);
  expect(asked).toBe(3);
  admin.close();
  admin.closeAllConnections();
});
