import { create } from "@bufbuild/protobuf";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { TaskSchema } from "#gen/task/v1/task_pb.js";
import { testIssuer } from "#kit/auth/testing.ts";
import { newId } from "#kit/id.ts";
import { type Edge, startEdge } from "./edge.ts";
import { limitsWith, newAddress, stateOf } from "./limits.ts";

const issuer = testIssuer();
let gateways: Edge[];
let redis: Redis;

beforeAll(async () => {
  redis = new Redis(inject("redis"));
  const limits = { limits: limitsWith("strict"), patienceMs: 10_000 };
  gateways = await Promise.all([1, 2].map(() => startEdge({ redis: { url: inject("redis") }, limits }, issuer)));
  for (const { handlers } of gateways) {
    handlers.set("task.v1.TaskService/GetTask", async () => ({ task: create(TaskSchema, { taskId: newId() }) }));
  }
});
afterAll(async () => {
  await Promise.all(gateways.map((gateway) => gateway.close()));
  await redis.quit();
});

function read(from: string, claims: Record<string, unknown> | undefined, gateway = gateways[0] as Edge) {
  const headers: Record<string, string> = { "x-forwarded-for": from };
  if (claims !== undefined) headers.authorization = `Bearer ${issuer.token(claims)}`;
  return fetch(`${gateway.url}/v1/tasks/${newId()}`, { headers });
}

async function allowedOf(count: number, from: string, claims: Record<string, unknown> | undefined): Promise<number> {
  const statuses = await Promise.all(
    Array.from({ length: count }, async (_, n) => (await read(from, claims, gateways[n % 2])).status),
  );
  return statuses.filter((status) => status !== 429).length;
}

describe("RATE_LIMIT_PRESET=strict", () => {
  test("100 calls in 15 minutes from one address, whoever makes them [001.13]", async () => {
    const from = newAddress();
    expect(await allowedOf(50, from, undefined)).toBe(50);
    expect(await allowedOf(150, from, { sub: newId() })).toBe(50);
    const refused = await read(from, { sub: newId() });
    expect(refused.headers.get("ratelimit-policy")).toBe('"address";q=100;w=900');
    expect(refused.status).toBe(429);
  });

  test("one too many: 60 seconds of refusals, kept under the prefix rl; a premium account has 1,000 [001.14]", async () => {
    const from = newAddress();
    expect(await allowedOf(101, from, undefined)).toBe(100);
    const refused = await read(from, undefined, gateways[1]);
    const wait = Number(refused.headers.get("retry-after"));
    expect(wait).toBeGreaterThan(50);
    expect(wait).toBeLessThanOrEqual(60);
    expect(stateOf(refused.headers, "address")).toEqual({ remaining: 0, seconds: wait });
    // The bucket outlives the refusal: 15 minutes are not over when it is.
    expect(await redis.pttl(`rl:address:${from}`)).toBeGreaterThan(840_000);
    const premium = { sub: newId(), tier: "premium" };
    const begin = performance.now();
    const allowed = await allowedOf(1100, from, premium);
    expect(allowed).toBeGreaterThanOrEqual(1000);
    // One more for each 0.9 seconds that it took.
    expect(allowed).toBeLessThanOrEqual(1001 + (performance.now() - begin) / 900);
    const over = await read(newAddress(), premium);
    expect([over.status, over.headers.get("ratelimit-policy")]).toEqual([429, '"premium";q=1000;w=900']);
    expect(Number(over.headers.get("retry-after"))).toBeGreaterThan(50);
  });
});
