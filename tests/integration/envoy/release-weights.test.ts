import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { passesHealth, readHosts } from "../../../cli/runner/envoy-hosts.ts";
import { until } from "../../_util/until.ts";
import { http } from "./client.ts";
import { startMesh, type TestMesh } from "./mesh.ts";
import { startHttpUpstream, type Upstream } from "./upstream.ts";

let mesh: TestMesh;
let [old, fresh]: Upstream[] = [];

beforeAll(async () => {
  mesh = await startMesh();
  [old, fresh] = await Promise.all([startHttpUpstream(), startHttpUpstream()]);
});

afterAll(async () => {
  await mesh?.stop();
  await Promise.all([old?.stop(), fresh?.stop()]);
});

beforeEach(() => {
  for (const upstream of [old, fresh]) upstream!.seen.length = 0;
});

async function call(count: number): Promise<[old: number, fresh: number]> {
  for (let index = 0; index < count; index++) await http(mesh.edge, "/v1/tasks");
  return [old!.seen.length, fresh!.seen.length];
}

const flagsOf = async (upstream: Upstream) =>
  (await readHosts(mesh.admin)).get(`gateway_http::127.0.0.1:${upstream.port}`)?.flags;

test("an instance on standby is found healthy, and gets no call until it is let in", async () => {
  await mesh.setEndpoints("gateway_http", [old!, { port: fresh!.port, standby: true }]);
  const flags = await until("the one on standby to pass its check", async () => {
    const now = await flagsOf(fresh!);
    return now !== undefined && passesHealth(now) && now;
  });
  expect(flags).not.toBe("healthy");
  await mesh.untilHealthy("gateway_http", 1);
  expect(await call(30)).toEqual([30, 0]);

  // The switch: at once, for its health is known.
  await mesh.setEndpoints("gateway_http", [{ port: old!.port, standby: true }, fresh!]);
  await until("the switch", async () => (await flagsOf(fresh!)) === "healthy");
  expect(await call(30)).toEqual([30, 30]);
});

test("a canary gets its share of the calls, to the call", async () => {
  await mesh.setEndpoints("gateway_http", [
    { port: old!.port, weight: 90 },
    { port: fresh!.port, weight: 10 },
  ]);
  await mesh.untilHealthy("gateway_http", 2);
  const [, share] = await call(200);
  expect(Math.abs(share - 20)).toBeLessThanOrEqual(1);
});

test("an instance that has been taken out is gone from Envoy's list, and gets no call", async () => {
  await mesh.setEndpoints("gateway_http", [old!]);
  await until("it to be gone", async () => (await flagsOf(fresh!)) === undefined);
  expect(await call(30)).toEqual([30, 0]);
});

test("Envoy's own counters tell calls and failures of each instance", async () => {
  const before = (await readHosts(mesh.admin)).get(`gateway_http::127.0.0.1:${old!.port}`);
  await call(7);
  const after = (await readHosts(mesh.admin)).get(`gateway_http::127.0.0.1:${old!.port}`);
  expect([after!.calls - before!.calls, after!.errors - before!.errors]).toEqual([7, 0]);
});
