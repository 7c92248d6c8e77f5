import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { RateClass } from "#gen/mesh/v1/options_pb.js";
import type { VerifiedToken } from "#kit/auth/tokens.ts";
import { newId } from "#kit/id.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import { openRedis, type Redis } from "#kit/redis/redis.ts";
import type { EdgeCall } from "../../../gateway/edge-call.ts";
import type { Buckets, Claim } from "../../../gateway/limits/bucket.ts";
import { type Costs, EdgeLimits } from "../../../gateway/limits/edge-limits.ts";
import { Limiter } from "../../../gateway/limits/limiter.ts";
import { type Limit, presets } from "../../../gateway/limits/presets.ts";
import { SharedBuckets } from "../../../gateway/limits/shared-buckets.ts";
import { limitsWith, newAddress } from "./limits.ts";

const limit: Limit = { name: "test", per: "caller", callers: ["standard"], points: 100, seconds: 100_000 };
let lifecycle: Lifecycle;
let connections: Redis[];

beforeAll(async () => {
  lifecycle = new Lifecycle();
  connections = [1, 2, 3].map(() => openRedis({ url: inject("redis"), lifecycle, commandTimeoutMs: 10_000 }));
  await Promise.all(connections.map((redis) => redis.ping()));
});
afterAll(() => lifecycle.stop());
let claim: Claim;
beforeEach(() => {
  claim = { limit, key: newId() };
});

/** How many of 1,000 calls at once, over three gateways, get a point. */
async function allowedBy(buckets: readonly Buckets[]): Promise<number> {
  const taken = await Promise.all(
    Array.from({ length: 1000 }, (_, n) => (buckets[n % buckets.length] as Buckets).take([claim], 1)),
  );
  return taken.flat().filter(({ allowed }) => allowed).length;
}

describe("1,000 calls at once over three gateways", () => {
  test("a bucket of 100 gives 100", async () => {
    expect(await allowedBy(connections.map((redis) => new SharedBuckets(redis, [limit])))).toBe(100);
  });

  test("one that looks first and takes then gives more, and this test sees it", async () => {
    expect(await allowedBy(connections.map(lookThenTake))).toBeGreaterThan(100);
  });
});

/** The planted bug. */
function lookThenTake(redis: Redis): Buckets {
  return {
    take: (claims) =>
      Promise.all(
        claims.map(async ({ limit, key }) => {
          const used = Number(await redis.get(`planted:${key}`));
          const allowed = used < limit.points;
          if (allowed) await redis.set(`planted:${key}`, used + 1, "EX", 60);
          return { limit, allowed, remaining: 0, moreAfterMs: 0 };
        }),
      ),
  };
}

describe("the bucket", () => {
  const take = async (limit: Limit, cost = 1) => {
    const [verdict] = await new SharedBuckets(connections[0] as Redis, [limit]).take([{ limit, key: claim.key }], cost);
    if (verdict === undefined) throw new Error("no verdict");
    return verdict;
  };

  test("fills again little by little, by the clock of Redis", async () => {
    const quick: Limit = { ...limit, name: "quick", points: 10, seconds: 1 };
    expect(await take(quick, 10)).toMatchObject({ allowed: true, remaining: 0 });
    const begin = performance.now();
    const refused = await take(quick);
    expect(refused).toMatchObject({ allowed: false, remaining: 0 });
    expect(refused.moreAfterMs).toBeLessThanOrEqual(100);
    while (!(await take(quick)).allowed);
    // Not before its time: a point takes 100 ms. The time that was told is rounded up to a whole millisecond.
    expect(performance.now() - begin).toBeGreaterThan(refused.moreAfterMs - 2);
  });

  test("a dear call takes as many points as it costs, and nothing when they are not there", async () => {
    expect(await take(limit, 60)).toMatchObject({ allowed: true, remaining: 40 });
    const refused = await take(limit, 60);
    expect(refused.allowed).toBe(false);
    expect(Math.abs(refused.moreAfterMs - 20_000_000)).toBeLessThan(60_000);
    expect(await take(limit, 40)).toMatchObject({ allowed: true, remaining: 0 });
  });

  test("one that asks for more than there can be takes all of it", async () => {
    expect(await take(limit, 5000)).toMatchObject({ allowed: true, remaining: 0 });
  });

  test("is forgotten once it is full again", async () => {
    await take({ ...limit, seconds: 10_000 });
    const left = await (connections[0] as Redis).pttl(`rl:test:${claim.key}`);
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(100_001);
  });
});

describe("by default [edge.12] [004.10]", () => {
  let told: Record<string, string>;
  let call: EdgeCall;
  beforeEach(() => {
    told = {};
    call = {
      requestId: newId(),
      clientAddress: newAddress(),
      headers: {},
      startTime: 0,
      answerHeader: (name, value) => {
        told[name] = value;
      },
    };
  });
  const user = () =>
    ({
      userId: newId(),
      sessionId: newId(),
      expireTime: new Date(),
      tier: "standard",
    }) as const satisfies VerifiedToken;
  const edgeOf = (limits: Limit[]) =>
    new EdgeLimits(limits, new Limiter({ limits, redis: connections[0], patienceMs: 10_000, lifecycle }));

  test.each([
    ["anonymous-minute", 100, 60],
    ["anonymous-10-minutes", 500, 600],
    ["anonymous-hour", 2000, 3600],
  ])("%s: %i calls in %i seconds from one address, whatever they are", async (name, points, seconds) => {
    expect(presets.standard.find((limit) => limit.name === name)).toMatchObject({ points, seconds });
    // The one that is looked at as by default, but that time does not pass; the others far away.
    const others = presets.standard.filter((limit) => limit.name !== name).map((limit) => `${limit.name}=9999/1`);
    const edge = edgeOf(limitsWith("standard", `${name}=${points}/${points * 1000}`, ...others));
    const costs = [{ rateClass: RateClass.GENERAL, cost: 1 } as const, { rateClass: RateClass.AUTH, cost: 1 } as const];
    const calls = await Promise.allSettled(
      Array.from({ length: points + 50 }, (_, n) => edge.countCall(call, costs[n % 2] as Costs, undefined)),
    );
    expect(calls.filter(({ status }) => status === "fulfilled")).toHaveLength(points);
    await expect(edge.countStray(call)).rejects.toMatchObject({ metadata: { limits: name } });
    await edge.countCall(call, costs[0] as Costs, user());
  });

  test.each([
    ["general", RateClass.GENERAL, 50],
    ["auth", RateClass.AUTH, 10],
    ["urgent", RateClass.URGENT, 5],
  ] as const)("%s", async (name, rateClass, points) => {
    // As many points as by default, in a time that does not pass here.
    const limits = limitsWith("standard", `${name}=${points}/10000`, `${name}-address=${points}/10000`);
    expect(presets.standard.find((limit) => limit.name === name)).toMatchObject({ points, seconds: 1 });
    const edge = edgeOf(limits);
    const token = user();
    for (let n = 1; n <= points; n += 1) await edge.countCall(call, { rateClass, cost: 1 }, token);
    expect(told["ratelimit-policy"]).toBe(`"${name}";q=${points};w=10000, "${name}-address";q=${points};w=10000`);
    await expect(edge.countCall(call, { rateClass, cost: 1 }, token)).rejects.toMatchObject({
      metadata: { limits: `${name}, ${name}-address` },
    });
    expect(told.ratelimit).toMatch(`"${name}";r=0;t=`);
    // By user, and by address.
    const elsewhere = { ...call, clientAddress: newAddress() };
    await expect(edge.countCall(elsewhere, { rateClass, cost: 1 }, token)).rejects.toMatchObject({
      metadata: { limits: name },
    });
    await expect(edge.countCall(call, { rateClass, cost: 1 }, user())).rejects.toMatchObject({
      metadata: { limits: `${name}-address` },
    });
    // Another class is not touched, nor is another caller at another address.
    const other = rateClass === RateClass.AUTH ? RateClass.URGENT : RateClass.AUTH;
    await edge.countCall(call, { rateClass: other, cost: 1 }, token);
    await edge.countCall(
      { ...call, clientAddress: newAddress() },
      { rateClass, cost: 1 },
      { ...token, userId: newId() },
    );
  });
});
