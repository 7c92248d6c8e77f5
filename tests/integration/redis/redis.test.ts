import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Lifecycle } from "#kit/lifecycle.ts";
import { openRedis, type Redis } from "#kit/redis/redis.ts";
import * as redisPart from "../../../cli/runner/parts/redis.ts";
import { pickPorts } from "../../../cli/runner/ports.ts";
import type { RunningPart } from "../../../cli/runner/process-spec.ts";
import { until } from "../../_util/until.ts";

// A server of this test's own: it dies and hangs.
let folder: string;
let server: RunningPart;
let startServer: () => Promise<RunningPart>;
let lifecycle: Lifecycle;
let redis: Redis;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "taskmesh-redis-"));
  const [port = 0] = await pickPorts(1);
  startServer = () => redisPart.start({ dataDir: folder, logFile: join(folder, "redis.log"), port });
  server = await startServer();
  lifecycle = new Lifecycle();
  redis = openRedis({ url: server.address, lifecycle });
});
afterEach(async () => {
  await lifecycle.stop();
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

const works = () => redis.set("key", "value").then((answer) => answer === "OK");
const refused = /enableOfflineQueue|Connection is closed/;

test("a server that died fails every command at once, and works again once it is back", async () => {
  await until("the first answer", works);
  process.kill(server.pid, "SIGKILL");
  await until("the loss to show", () => redis.status !== "ready", { everyMs: 5 });
  for (let n = 0; n < 100; n += 1) await expect(redis.get("key")).rejects.toThrow(refused);
  server = await startServer();
  await until("the connection", works);
});

test("a server that hangs costs a few commands their time-out; after that nothing waits for it", async () => {
  await until("the first answer", works);
  process.kill(server.pid, "SIGSTOP");
  try {
    await expect(redis.get("key")).rejects.toThrow("timed out");
    await until("the connection to be given up", () => redis.status !== "ready", { everyMs: 5 });
    for (let n = 0; n < 100; n += 1) await expect(redis.get("key")).rejects.toThrow(refused);
  } finally {
    process.kill(server.pid, "SIGCONT");
  }
  await until("the connection", works);
});
