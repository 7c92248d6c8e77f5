import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { newId } from "#kit/id.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import { openRedis } from "#kit/redis/redis.ts";
import {
  connectionsKey,
  instancesKey,
  StreamRegistry,
  userConnectionsKey,
} from "../../../gateway/streams/stream-registry.ts";
import { OwnRedis } from "../../_util/own-redis.ts";
import { until } from "../../_util/until.ts";
import { openWatchStage, type WatchStage } from "../notification/watch-stage.ts";
import { type Edge, startEdge } from "./edge.ts";
import { type Form, hear, watchName } from "./stream-clients.ts";

interface Told {
  instance: string;
  userId: string;
  kind: string;
  since: string;
}

/** What Redis tells of a user's streams, in both places: as gateway and kind. */
async function toldOf(redis: Redis, userId: string): Promise<string[]> {
  const read = (values: string[]) =>
    values
      .map((value) => JSON.parse(value) as Told)
      .filter((told) => told.userId === userId)
      .map(({ instance, kind }) => `${instance.split("/")[0]} ${kind}`)
      .sort();
  const all = read(await redis.hvals(connectionsKey));
  expect(read(await redis.hvals(userConnectionsKey(userId)))).toEqual(all);
  return all;
}

describe("streams of a user", () => {
  let stage: WatchStage;
  let redis: Redis;
  const edges: Edge[] = [];
  const closing = new AbortController();

  /** A gateway with a notification service of its own. */
  async function another(instanceId: string): Promise<Edge> {
    const [edge, { client }] = await Promise.all([
      startEdge({ instanceId, redis: { url: inject("redis") } }, stage.peers.issuer),
      stage.start(),
    ]);
    edge.handlers.set(watchName, (request, { accessToken, signal }) =>
      client.watchNotifications(request, { signal, headers: { authorization: `Bearer ${accessToken}` } }),
    );
    edges.push(edge);
    return edge;
  }

  beforeAll(async () => {
    stage = await openWatchStage("stream registry");
    redis = new Redis(inject("redis"));
    for (const name of ["gateway-1", "gateway-2"]) await another(name);
  });
  afterAll(async () => {
    closing.abort();
    await Promise.all(edges.map((edge) => edge.close()));
    redis?.disconnect();
    await stage?.close();
  });

  it("are told in Redis, hear the same at every gateway, and may be at one that came later [notify.16] [004.13]", async () => {
    const userId = newId();
    const { headers } = stage.as(userId);
    const heard = new Map<string, unknown[]>();
    const listen = (name: string, edge: Edge, form: Form) => {
      const messages: unknown[] = [];
      heard.set(name, messages);
      const done = hear(edge, form, {
        headers,
        signal: closing.signal,
        onMessage: (message) => messages.push(message),
      });
      done.catch(() => {});
      return until(`${name} to begin`, () => messages.length > 0, { everyMs: 10 });
    };
    const told = (wanted: string[]) =>
      until(`${wanted}`, async () => String(await toldOf(redis, userId).catch(() => "")) === String(wanted), {
        everyMs: 20,
      });

    const [first, second] = edges as [Edge, Edge];
    await Promise.all([listen("a", first, "WebSocket"), listen("b", second, "SSE"), listen("c", first, "gRPC")]);
    await told(["gateway-1 grpc", "gateway-1 websocket", "gateway-2 sse"]);
    await stage.add([userId]);
    for (const [name, messages] of heard) await until(`${name} to hear`, () => messages.length === 2, { everyMs: 10 });

    await listen("d", await another("gateway-3"), "NDJSON");
    await told(["gateway-1 grpc", "gateway-1 websocket", "gateway-2 sse", "gateway-3 ndjson"]);
    await stage.add([userId, newId()]);
    const last = (messages: unknown[]) => JSON.stringify((messages.at(-1) as { change?: unknown } | undefined) ?? {});
    await until("all to hear", () => new Set([...heard.values()].map(last)).size === 1, { everyMs: 10 });
    expect(heard.get("d")).toHaveLength(2);

    closing.abort();
    await told([]);
    expect(await redis.exists(userConnectionsKey(userId))).toBe(0);
  });
});

describe("the registry of streams", () => {
  let server: OwnRedis;
  let lifecycle: Lifecycle;
  let registry: StreamRegistry;
  let redis: Redis;
  beforeEach(async () => {
    server = await OwnRedis.start();
    lifecycle = new Lifecycle();
    const own = openRedis({ url: server.url, lifecycle });
    await until("a connection", () => own.status === "ready", { everyMs: 5 });
    registry = new StreamRegistry({ redis: own, instanceId: "gateway-1", lifecycle });
    redis = new Redis(server.url, { retryStrategy: () => 20 });
    redis.on("error", () => {});
  });
  afterEach(async () => {
    redis.disconnect();
    await lifecycle.stop();
    await server.stop();
  });

  it("takes away what a gateway left behind that died, and leaves alone what others have", async () => {
    const [ada, bob, cyd] = [newId(), newId(), newId()];
    const left = (instance: string, userId: string) => JSON.stringify({ instance, userId, kind: "sse", since: "" });
    const put = async (id: string, instance: string, userId: string) => {
      await redis.hset(connectionsKey, id, left(instance, userId));
      await redis.hset(userConnectionsKey(userId), id, left(instance, userId));
    };
    await put("1", "dead/1", ada);
    await put("2", "dead/1", bob);
    await put("3", "alive/1", bob);
    await redis.hset(instancesKey, "dead/1", "1", "alive/1", String(Date.now() + 60_000));
    registry.opened(cyd, "websocket");
    await until("the sweep", async () => (await redis.hexists(instancesKey, "dead/1")) === 0, { everyMs: 10 });
    expect(await toldOf(redis, ada)).toEqual([]);
    expect(await toldOf(redis, bob)).toEqual(["alive sse"]);
    expect(await toldOf(redis, cyd)).toEqual(["gateway-1 websocket"]);
  });

  it("tells of all streams again when Redis is back without them, and of none that ended meanwhile", async () => {
    const [ada, bob] = [newId(), newId()];
    registry.opened(ada, "sse");
    const end = registry.opened(bob, "sse");
    await until("both", async () => (await redis.hlen(connectionsKey)) === 2, { everyMs: 10 });
    server.signal("SIGKILL");
    await until("the loss to show", () => redis.status !== "ready", { everyMs: 5 });
    end();
    await server.startAgain();
    await until("the one", async () => (await toldOf(redis, ada).catch(() => [])).length === 1, { everyMs: 10 });
    await until("no other", async () => (await redis.hlen(connectionsKey)) === 1, { everyMs: 10 });
    expect(await toldOf(redis, bob)).toEqual([]);
  });

  it("is emptied of a gateway's streams when it stops", async () => {
    registry.opened(newId(), "sse");
    await until("it", async () => (await redis.hlen(connectionsKey)) === 1, { everyMs: 10 });
    await lifecycle.stop();
    expect([await redis.hlen(connectionsKey), await redis.hlen(instancesKey)]).toEqual([0, 0]);
  });
});
