import { afterEach, beforeEach, expect, test } from "vitest";
import { Lifecycle } from "#kit/lifecycle.ts";
import { openRedis, type Redis } from "#kit/redis/redis.ts";
import { OwnRedis } from "../../_util/own-redis.ts";
import { until } from "../../_util/until.ts";

let server: OwnRedis;
let lifecycle: Lifecycle;
let redis: Redis;

beforeEach(async () => {
  server = await OwnRedis.start();
  lifecycle = new Lifecycle();
  redis = openRedis({ url: server.url, lifecycle });
});
afterEach(async () => {
  await lifecycle.stop();
  await server.stop();
});

const works = () => redis.set("key", "value").then((answer) => answer === "OK");
const refused = /enableOfflineQueue|Connection is closed/;

test("a server that died fails every command at once, and works again once it is back", async () => {
  await until("the first answer", works);
  server.signal("SIGKILL");
  await until("the loss to show", () => redis.status !== "ready", { everyMs: 5 });
  for (let n = 0; n < 100; n += 1) await expect(redis.get("key")).rejects.toThrow(refused);
  await server.startAgain();
  await until("the connection", works);
});

test("a server that hangs costs a few commands their time-out; after that nothing waits for it", async () => {
  await until("the first answer", works);
  server.signal("SIGSTOP");
  try {
    await expect(redis.get("key")).rejects.toThrow("timed out");
    await until("the connection to be given up", () => redis.status !== "ready", { everyMs: 5 });
    for (let n = 0; n < 100; n += 1) await expect(redis.get("key")).rejects.toThrow(refused);
  } finally {
    server.signal("SIGCONT");
  }
  await until("the connection", works);
});
