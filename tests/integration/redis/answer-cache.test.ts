import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AnswerCache, type Look } from "#kit/answer-cache/answer-cache.ts";
import { newId } from "#kit/id.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import { openRedis, type Redis } from "#kit/redis/redis.ts";
import { OwnRedis } from "../../_util/own-redis.ts";
import { until } from "../../_util/until.ts";

let server: OwnRedis;
let lifecycle: Lifecycle;
let redis: Redis;
const key = randomBytes(32);
const keepMs = 300_000;
const prefix = "tasks:user:";

beforeEach(async () => {
  server = await OwnRedis.start();
  lifecycle = new Lifecycle();
  redis = openRedis({ url: server.url, lifecycle });
  await until("the first answer", () => redis.ping());
});
afterEach(async () => {
  await lifecycle.stop();
  await server.stop();
});

/** A connection as one process has it. */
async function connection(): Promise<Redis> {
  const own = openRedis({ url: server.url, lifecycle, commandTimeoutMs: 1_000 });
  await until("a connection", () => own.status === "ready", { everyMs: 5 });
  return own;
}

/** A cache as one process has it. */
async function inProcess(own?: Redis): Promise<AnswerCache> {
  const options = { redis: own ?? (await connection()), prefix, channel: "tasks:changed", key };
  return new AnswerCache(options).keepNear(lifecycle);
}

async function look(cache: AnswerCache, userId: string, field = "list"): Promise<Look & { text: string | undefined }> {
  const found = await cache.look(userId, field, keepMs);
  return { ...found, text: found.answer?.toString() };
}

/** Keeps an answer as a read does that nobody disturbs. */
async function kept(cache: AnswerCache, userId: string, text: string, field = "list"): Promise<void> {
  await until("the answer to be kept", async () => {
    const { version } = await look(cache, userId, field);
    if (version === undefined) return false;
    await cache.keep(userId, { field, version }, Buffer.from(text), keepMs);
    return (await look(cache, userId, field)).text === text;
  });
}

async function write(cache: AnswerCache, userIds: string[]): Promise<void> {
  const change = cache.change();
  change.touches(userIds);
  await change.committed();
}

describe("answers kept in Redis", () => {
  it("are there for every process until somebody writes, by that process or another", async () => {
    const [one, other] = await Promise.all([inProcess(), inProcess()]);
    const userId = newId();
    await kept(one, userId, "first");
    expect((await look(other, userId)).text).toBe("first");
    expect((await look(other, userId)).text).toBe("first");
    await write(one, [userId]);
    for (const cache of [one, other]) expect((await look(cache, userId)).text).toBeUndefined();
    await kept(other, userId, "second");
    await write(other, [newId()]);
    for (const cache of [one, other]) expect((await look(cache, userId)).text).toBe("second");
  });

  it("are told of over pub/sub when they change, so that no process keeps them", async () => {
    const [one, listener] = [await inProcess(), await connection()];
    const heard: string[] = [];
    listener.on("message", (_channel, userId) => heard.push(userId));
    await listener.subscribe("tasks:changed");
    const userIds = [newId(), newId()];
    for (const userId of userIds) await kept(one, userId, "of the past");
    await write(one, [...userIds, newId()]);
    await until("the news", () => heard.length === 2, { everyMs: 5 });
    expect(heard.sort()).toEqual(userIds.sort());
  });

  it("are not what was read before a write began, nor while it went on", async () => {
    const [reader, writer] = await Promise.all([inProcess(), inProcess()]);
    const userId = newId();
    const before = await look(reader, userId);
    const change = writer.change();
    change.touches([userId]);
    await until("the write to show", async () => (await look(reader, userId)).version === undefined, { everyMs: 5 });
    await reader.keep(userId, { field: "list", version: before.version as string }, Buffer.from("of the past"), keepMs);
    expect(await look(reader, userId)).toEqual({ text: undefined });
    await change.committed();
    await reader.keep(userId, { field: "list", version: before.version as string }, Buffer.from("of the past"), keepMs);
    expect((await look(reader, userId)).text).toBeUndefined();
    await kept(reader, userId, "of now");
  });

  it("wait for all of several writes that overlap", async () => {
    const cache = await inProcess();
    const userId = newId();
    const [first, second] = [cache.change(), cache.change()];
    first.touches([userId]);
    second.touches([userId]);
    await second.committed();
    expect((await look(cache, userId)).version).toBeUndefined();
    await first.committed();
    await kept(cache, userId, "of now");
  });

  it("are not there for 15 seconds after a process that died between its commit and its news", async () => {
    const [dying, other] = await Promise.all([inProcess(), inProcess()]);
    const userId = newId();
    await kept(other, userId, "of the past");
    dying.change().touches([userId]);
    await until("the write to show", async () => (await look(other, userId)).text === undefined, { everyMs: 5 });
    expect((await look(other, userId)).version).toBeUndefined();
    const left = await redis.pttl(prefix + userId);
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(15_000);
    await redis.del(prefix + userId);
    await kept(other, userId, "of now");
  });

  it("hold no word of an answer, live no longer than they may, and are few and small", async () => {
    const cache = await inProcess();
    const userId = newId();
    await kept(cache, userId, "buy milk");
    expect(await redis.pttl(prefix + userId)).toBeLessThanOrEqual(keepMs);
    const raw = Object.values(await redis.hgetallBuffer(prefix + userId)) as unknown as Buffer[];
    expect(raw.some((value) => value.includes("milk"))).toBe(false);
    for (let n = 0; n < 40; n += 1) await kept(cache, userId, "x", `field ${n}`);
    expect(await redis.hlen(prefix + userId)).toBeLessThanOrEqual(18);
    const { version = "" } = await look(cache, userId, "large");
    await cache.keep(userId, { field: "large", version }, Buffer.alloc(64 * 1024 + 1), keepMs);
    expect(await redis.hexists(prefix + userId, "large")).toBe(0);
  });

  it("of another key or place are none", async () => {
    const cache = await inProcess();
    const [ada, bob] = [newId(), newId()];
    await kept(cache, ada, "Ada's");
    await kept(cache, bob, "Bob's");
    const stranger = new AnswerCache({ redis, prefix, channel: "tasks:changed", key: randomBytes(32) });
    expect((await look(stranger, ada)).text).toBeUndefined();
    await redis.hset(prefix + ada, "list", (await redis.hgetBuffer(prefix + bob, "list")) as Buffer);
    const fresh = await inProcess();
    expect((await look(fresh, ada)).text).toBeUndefined();
  });
});

describe("while Redis is away", () => {
  it("and hangs, nothing is kept; what it missed is not believed when it goes on", async () => {
    const [reader, writer] = await Promise.all([inProcess(), inProcess()]);
    const userId = newId();
    await kept(reader, userId, "of the past");
    server.signal("SIGSTOP");
    try {
      await write(writer, [userId]);
      expect(await look(writer, userId)).toEqual({ text: undefined });
      expect(await look(reader, userId)).toEqual({ text: undefined });
    } finally {
      server.signal("SIGCONT");
    }
    const seen = new Set<string | undefined>();
    await until("a version", async () => {
      for (const cache of [reader, writer]) seen.add((await look(cache, userId)).text);
      return (await look(reader, userId)).version;
    });
    expect([...seen]).toEqual([undefined]);
    await kept(reader, userId, "of now");
  });

  it("and dies, nothing is kept, and then all begins anew", async () => {
    const cache = await inProcess();
    const userId = newId();
    await kept(cache, userId, "of the past");
    server.signal("SIGKILL");
    await until("the loss to show", async () => (await look(cache, userId)).version === undefined, { everyMs: 5 });
    await write(cache, [userId]);
    await server.startAgain();
    await kept(cache, userId, "of now");
  });

  it("a write that Redis did not hear of is told when it is back, to those too who noticed nothing", async () => {
    const own = await connection();
    const [writer, other] = await Promise.all([inProcess(own), inProcess()]);
    const userId = newId();
    await kept(other, userId, "of the past");
    const change = writer.change();
    // The writer's connection alone is cut.
    await redis.call("CLIENT", "KILL", "ID", String(await own.call("CLIENT", "ID")));
    await until("the cut to show", () => own.status !== "ready", { everyMs: 1 });
    change.touches([userId]);
    await change.committed();
    await until("the news to arrive", async () => {
      const { text, version } = await look(other, userId);
      return text === undefined && version !== undefined;
    });
    await kept(other, userId, "of now");
    expect((await look(writer, userId)).text).toBe("of now");
  });
});
