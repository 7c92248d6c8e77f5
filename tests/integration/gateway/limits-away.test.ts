import { create } from "@bufbuild/protobuf";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { TaskSchema } from "#gen/task/v1/task_pb.js";
import { testIssuer } from "#kit/auth/testing.ts";
import { newId } from "#kit/id.ts";
import { startMetrics } from "#observability/metrics-sdk.ts";
import { OwnRedis } from "../../_util/own-redis.ts";
import { until } from "../../_util/until.ts";
import { type Edge, startEdge } from "./edge.ts";
import { limitsWith, newAddress, stateOf } from "./limits.ts";

const issuer = testIssuer();
const limits = { limits: limitsWith("standard", "general=40/40000"), patienceMs: 50 };
let metrics: ReturnType<typeof startMetrics>;
let server: OwnRedis;
let gateways: Edge[];

beforeAll(() => {
  metrics = startMetrics({ name: "gateway", instanceId: "gateway-1" });
});
afterAll(() => metrics.stop());
beforeEach(async () => {
  server = await OwnRedis.start();
  gateways = [];
});
afterEach(async () => {
  await Promise.all(gateways.map((gateway) => gateway.close()));
  await server.stop();
});

async function startGateways(count: number, redis: { url: string } | undefined): Promise<void> {
  // One after the other: each counts those that are there.
  for (let n = 1; n <= count; n += 1) gateways.push(await startEdge({ redis, limits }, issuer));
  for (const { handlers } of gateways) {
    handlers.set("task.v1.TaskService/GetTask", async () => ({ task: create(TaskSchema, { taskId: newId() }) }));
  }
}

function read(token: string, gateway = gateways[0] as Edge): Promise<Response> {
  const headers = { "x-forwarded-for": newAddress(), authorization: `Bearer ${token}` };
  return fetch(`${gateway.url}/v1/tasks/${newId()}`, { headers });
}

const someone = () => issuer.token({ sub: newId() });

/** What is left after somebody's first call: a gateway alone has its share only. */
const leftAtFirst = async (gateway = gateways[0] as Edge) =>
  stateOf((await read(someone(), gateway)).headers, "general")?.remaining;

async function statusesOf(count: number, gateway: Edge): Promise<Record<number, number>> {
  const token = someone();
  const statuses: Record<number, number> = {};
  for (let n = 0; n < count; n += 1) {
    const { status } = await read(token, gateway);
    statuses[status] = (statuses[status] ?? 0) + 1;
  }
  return statuses;
}

/** A counter's value, 0 until it has one. */
async function counted(store: string, outcome: string): Promise<number> {
  const line = new RegExp(
    `^taskmesh_limits_calls_total\\{taskmesh_limits_store="${store}",taskmesh_outcome="${outcome}"\\} (\\d+)`,
    "m",
  );
  return Number(line.exec(await metrics.render())?.[1] ?? 0);
}

describe("Redis is away [002.02]", () => {
  test("killed: each of two gateways gives its half, says so in a metric, and shares again when it is back", async () => {
    await startGateways(2, { url: server.url });
    const [first, second] = gateways as [Edge, Edge];
    await until("the limits to be shared", async () => (await leftAtFirst()) === 39);
    const before = await counted("memory", "allowed");
    server.signal("SIGKILL");
    await until("the second to count alone", async () => (await leftAtFirst(second)) === 19, { everyMs: 20 });
    expect(await statusesOf(45, second)).toEqual({ 200: 20, 429: 25 });
    expect((await statusesOf(45, first))[503]).toBeUndefined();
    expect(await counted("memory", "allowed")).toBeGreaterThanOrEqual(before + 20);
    expect(await counted("memory", "refused")).toBeGreaterThanOrEqual(25);
    expect(await metrics.render()).toMatch(/^taskmesh_limits_refusals_total\{taskmesh_limits_name="general"\} \d+/m);
    await server.startAgain();
    await until("the limits to be shared", async () => (await leftAtFirst(second)) === 39);
  });

  test("hanging, which is worse: every call is answered while it hangs, and it comes back by itself", async () => {
    await startGateways(1, { url: server.url });
    expect(await leftAtFirst()).toBe(39);
    const before = await counted("memory", "allowed");
    server.signal("SIGSTOP");
    try {
      expect(await statusesOf(45, gateways[0] as Edge)).toEqual({ 200: 40, 429: 5 });
      expect(await counted("memory", "allowed")).toBe(before + 40);
    } finally {
      server.signal("SIGCONT");
    }
    const shared = await counted("redis", "allowed");
    await until("the limits to be shared", async () => {
      await read(someone());
      return (await counted("redis", "allowed")) > shared;
    });
  });

  test("without REDIS_URL a gateway counts in its own memory", async () => {
    await startGateways(1, undefined);
    const before = await counted("memory", "allowed");
    expect(await statusesOf(45, gateways[0] as Edge)).toEqual({ 200: 40, 429: 5 });
    expect(await counted("memory", "allowed")).toBe(before + 40);
  });

  test("a gateway that starts while it is away serves, and shares once it is there", async () => {
    server.signal("SIGKILL");
    await startGateways(1, { url: server.url });
    expect((await read(someone())).status).toBe(200);
    await server.startAgain();
    const shared = await counted("redis", "allowed");
    await until("the limits to be shared", async () => {
      await read(someone());
      return (await counted("redis", "allowed")) > shared;
    });
  });
});
