import { afterAll, beforeAll, expect, test } from "vitest";
import { faultRpc } from "../../../cli/runner/fault/rpc-faults.ts";
import { envoyConfig } from "../../../envoy/config.ts";
import { grpc } from "./client.ts";
import { startMesh, type TestMesh } from "./mesh.ts";

const target = "task.v1.TaskService/CreateTask";
const other = "/task.v1.TaskService/GetTask";
const [notFound, unavailable] = [5, 14];
let mesh: TestMesh;

beforeAll(async () => {
  mesh = await startMesh({ faults: true });
});
afterAll(() => mesh?.stop());

async function statuses(calls: number, path = `/${target}`): Promise<number[]> {
  const seen: number[] = [];
  for (let n = 0; n < calls; n++) seen.push((await grpc(mesh.mesh, path)).grpcStatus);
  return seen;
}

test("calls of one RPC are aborted with any status, before they reach anybody, and no others are", async () => {
  const heal = await faultRpc(mesh.admin, { kind: "rpc", target, grpcStatus: unavailable, percent: 100 });
  mesh.services.task.seen.length = 0;
  expect(await statuses(5)).toEqual(Array(5).fill(unavailable));
  expect(mesh.services.task.seen).toEqual([]);
  expect(await statuses(2, other)).toEqual([0, 0]);
  const instead = await faultRpc(mesh.admin, { kind: "rpc", target, grpcStatus: notFound, percent: 100 });
  expect(await statuses(1)).toEqual([notFound]);
  await instead();
  await heal();
  expect(await statuses(5)).toEqual(Array(5).fill(0));
});

test("a share of them is", async () => {
  const heal = await faultRpc(mesh.admin, { kind: "rpc", target, grpcStatus: unavailable, percent: 30 });
  const aborted = (await statuses(120)).filter((status) => status === unavailable).length;
  await heal();
  expect(aborted).toBeGreaterThan(10);
  expect(aborted).toBeLessThan(80);
});

test("calls are late, and arrive", async () => {
  const heal = await faultRpc(mesh.admin, { kind: "rpc", target, percent: 100, delayMs: 120 });
  const began = performance.now();
  expect(await statuses(1)).toEqual([0]);
  expect(performance.now() - began).toBeGreaterThan(115);
  await heal();
});

test("a mesh that was not started for it has no such filter", async () => {
  const at = { directory: "/", edgePort: 1, meshPort: 2, adminPort: 3, gatewayHttp: [], gatewayGrpc: [] };
  const services = { auth: [], user: [], task: [], notification: [] };
  expect(JSON.stringify(envoyConfig({ ...at, services })).includes("http.fault")).toBe(false);
  expect(JSON.stringify(envoyConfig({ ...at, services, faults: true })).includes("http.fault")).toBe(true);
});
