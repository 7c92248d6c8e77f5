import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { create } from "@bufbuild/protobuf";
import { Redis } from "ioredis";
import { afterAll, afterEach, describe, expect, inject, it } from "vitest";
import { TaskSchema } from "#gen/task/v1/task_pb.js";
import { revokedChannel } from "#kit/auth/revocations.ts";
import { testIssuer } from "#kit/auth/testing.ts";
import { Database, execute } from "#kit/db/database.ts";
import { Code } from "#kit/errors.ts";
import { newId } from "#kit/id.ts";
import { createTestDatabase } from "../../_util/database.ts";
import { until } from "../../_util/until.ts";
import { type Edge, startEdge } from "../gateway/edge.ts";
import { limitsWith, newAddress } from "../gateway/limits.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;
const issuer = testIssuer();

describe("the usual troubles of a service in several instances [002.15]", () => {
  const redis = new Redis(inject("redis"));
  let gateways: Edge[] = [];
  afterEach(async () => {
    await Promise.all(gateways.map((gateway) => gateway.close()));
    gateways = [];
  });
  afterAll(() => redis.quit());

  async function start(count: number, general = "general=40/40000"): Promise<[Edge, Edge]> {
    const limits = { limits: limitsWith("standard", general), patienceMs: 1000 };
    for (let n = 1; n <= count; n += 1)
      gateways.push(await startEdge({ redis: { url: inject("redis") }, limits }, issuer));
    for (const { handlers } of gateways) {
      handlers.set("task.v1.TaskService/GetTask", async () => ({ task: create(TaskSchema, { taskId: newId() }) }));
      handlers.set("auth.v1.AuthService/ListRevokedSessions", async () => ({ sessionIds: [] }));
    }
    return gateways as [Edge, Edge];
  }

  async function read(gateway: Edge, token: string): Promise<number> {
    const headers = { "x-forwarded-for": newAddress(), authorization: `Bearer ${token}` };
    const response = await fetch(`${gateway.url}/v1/tasks/${newId()}`, { headers });
    await response.arrayBuffer();
    return response.status;
  }

  it("session inconsistency: a session is good at every gateway, and over at every gateway", async () => {
    const [first, second] = await start(2);
    const sid = newId();
    const token = issuer.token({ sub: newId(), sid });
    expect([await read(first, token), await read(second, token)]).toEqual([200, 200]);
    await until("both gateways to be told", async () => {
      await redis.publish(revokedChannel, sid);
      return (await read(first, token)) === 401 && (await read(second, token)) === 401;
    });
  });

  it("limits that are not shared: two gateways give together what one would give", async () => {
    const both = await start(2);
    const token = issuer.token({ sub: newId() });
    const statuses: number[] = [];
    for (let n = 0; n < 50; n += 1) statuses.push(await read(both[n % 2] as Edge, token));
    expect(statuses.filter((status) => status === 200)).toHaveLength(40);
    expect(statuses.slice(40)).toEqual(Array(10).fill(429));
  });

  it("an exhausted pool: who finds no connection is told to come back, and finds one later", async () => {
    const own = await createTestDatabase("pool");
    const database = new Database({
      url: own.url,
      entities: [],
      pool: { min: 0, max: 2, acquireMs: 300 },
      applicationName: "pool-test",
    });
    try {
      const [held, over] = [[1, 2].map(() => Promise.withResolvers<void>()), Promise.withResolvers<void>()];
      const slow = held.map((begun) =>
        database.transactional(async (em) => {
          await execute(em, { text: "SELECT 1" }, []);
          begun.resolve();
          await over.promise;
        }),
      );
      await Promise.all(held.map(({ promise }) => promise));
      const hopeless = Array.from({ length: 5 }, () => database.query("SELECT 1 AS one"));
      for (const result of await Promise.allSettled(hopeless)) {
        const reason = { code: Code.UNAVAILABLE, retryAfterMs: expect.any(Number) };
        expect(result).toMatchObject({ status: "rejected", reason });
      }
      over.resolve();
      await Promise.all(slow);
      expect(await database.query("SELECT 1 AS one")).toEqual([{ one: 1 }]);
    } finally {
      await database.close();
      await own.drop();
    }
  });

  it("a memory leak: nothing of a call stays behind", async () => {
    const [gateway] = await start(1, "general=1000000/1");
    const token = issuer.token({ sub: newId() });
    const heapAfter = async (calls: number) => {
      for (let n = 0; n < calls; n += 20) {
        await Promise.all(Array.from({ length: 20 }, () => read(gateway, token)));
      }
      // The harness keeps every call.
      gateway.arrivals.length = 0;
      await new Promise((resolve) => setTimeout(resolve, 50));
      collectGarbage();
      return process.memoryUsage().heapUsed;
    };
    const heaps: number[] = [];
    for (let round = 0; round < 6; round += 1) heaps.push(await heapAfter(400));
    // What leaks, leaks in every round; caches that fill and code that is compiled do not.
    const growth = heaps.slice(2).map((heap, index) => (heap - (heaps[index + 1] as number)) / 400);
    expect(Math.min(...growth)).toBeLessThan(1000);
  });
});
