import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis as Node } from "ioredis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { revokedChannel } from "#kit/auth/revocations.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import { openRedis, type Redis } from "#kit/redis/redis.ts";
import { subscribe } from "#kit/redis/subscribe.ts";
import * as redisPart from "../../../cli/runner/parts/redis.ts";
import { startPart } from "../../../cli/runner/parts/start-part.ts";
import { pickPorts } from "../../../cli/runner/ports.ts";
import type { RunningPart } from "../../../cli/runner/process-spec.ts";
import { ConnectionCount } from "../../../gateway/connections/connection-count.ts";
import { GatewayCount } from "../../../gateway/limits/gateway-count.ts";
import type { Limit } from "../../../gateway/limits/presets.ts";
import { SharedBuckets } from "../../../gateway/limits/shared-buckets.ts";
import { until } from "../../_util/until.ts";
import { typescriptSources } from "../../repo/sources.ts";

const slots = 16_384;
let folder: string;
let ports: number[];
let nodes: RunningPart[] = [];
let lifecycle: Lifecycle;
let redis: Redis;

/** A cluster of three nodes, each with a third of the slots. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "taskmesh-cluster-"));
  ports = await pickPorts(6);
  nodes = await Promise.all([0, 1, 2].map(startNode));
  const clients = nodes.map(({ address }) => new Node(address));
  const third = Math.ceil(slots / 3);
  for (const [index, client] of clients.entries()) {
    await client.cluster("ADDSLOTSRANGE", index * third, Math.min(slots, (index + 1) * third) - 1);
    await client.cluster("MEET", "127.0.0.1", ports[0] as number, ports[3] as number);
  }
  const isWhole = async (client: Node) => {
    const info = await client.cluster("INFO");
    return info.includes("cluster_state:ok") && info.includes("cluster_known_nodes:3");
  };
  await until("the cluster to be whole", async () => (await Promise.all(clients.map(isWhole))).every(Boolean));
  for (const client of clients) client.disconnect();
});
afterAll(async () => {
  await Promise.all(nodes.map((node) => node.stop()));
  await rm(folder, { recursive: true, force: true });
});

beforeEach(() => {
  lifecycle = new Lifecycle();
  redis = openRedis({ url: `${nodes[0]?.address}?cluster=true`, lifecycle, commandTimeoutMs: 5_000 });
});
afterEach(() => lifecycle.stop());

async function startNode(index: number): Promise<RunningPart> {
  const [port = 0, bus = 0] = [ports[index], ports[index + 3]];
  const program = (await redisPart.locate()) ?? (await redisPart.fetch(() => {}));
  const dataDir = join(folder, String(index));
  const spec = await redisPart.describe(program, { dataDir, port, logFile: join(folder, `${index}.log`) });
  const args = ["--cluster-enabled", "yes", "--cluster-node-timeout", "5000", "--cluster-port", String(bus)];
  return startPart({ ...spec, args: [...spec.args, ...args] }, `redis://127.0.0.1:${port}`);
}

const names = Array.from({ length: 40 }, (_, index) => `somebody-${index}`);

describe("a Redis Cluster [002.07]", () => {
  it("does every command and script of ours, each at the node that has the key", async () => {
    await until("the cluster", async () => (await redis.ping()) === "PONG");
    const limit: Limit = { name: "test", per: "caller", callers: ["standard"], points: 3, seconds: 100_000 };
    const buckets = new SharedBuckets(redis, [limit]);
    const claims = names.map((key) => ({ limit, key }));
    for (const allowed of [true, true, true, false]) {
      const verdicts = await buckets.take(claims, 1);
      expect(verdicts.filter((verdict) => verdict.allowed === allowed)).toHaveLength(names.length);
    }

    const connections = new ConnectionCount({ redis, limit: 2, longestMs: 60_000 });
    const clients = names.map((_, index) => `10.1.2.${index}`);
    const open = (id: string) => Promise.all(clients.map((client) => connections.opened({ client, id })));
    expect((await open("a")).every(Boolean)).toBe(true);
    expect((await open("b")).every(Boolean)).toBe(true);
    expect((await open("c")).some(Boolean)).toBe(false);
    await Promise.all(clients.map((client) => connections.closed({ client, id: "a" })));
    expect((await open("c")).every(Boolean)).toBe(true);

    const gateways = [1, 2, 3].map(() => new GatewayCount(redis, lifecycle));
    for (const gateway of gateways) await gateway.beat();
    expect(gateways.at(-1)?.latest).toBe(3);

    const keysAt = nodes.map(async ({ address }) => {
      const client = new Node(address);
      const count = await client.dbsize();
      client.disconnect();
      return count;
    });
    for (const count of await Promise.all(keysAt)) expect(count).toBeGreaterThan(0);
  });

  it("is heard from whichever node something is said at, also after the node that was listened to has gone", async () => {
    const heard: string[] = [];
    const onMessage = (message: string) => heard.push(message);
    const subscription = subscribe({ redis, channel: revokedChannel, lifecycle, onMessage });
    await until("it to listen", () => subscription.isLive);
    const says = async (text: string) => {
      for (const { address } of nodes) {
        const client = new Node(address, { retryStrategy: () => null });
        client.on("error", () => {});
        await client.publish(revokedChannel, `${text} ${address}`).catch(() => {});
        client.disconnect();
      }
    };
    await says("first");
    await until("all three to be heard", () => heard.length === 3);

    const listened = await Promise.all(
      nodes.map(async ({ address }) => {
        const client = new Node(address);
        const [, count] = (await client.pubsub("NUMSUB", revokedChannel)) as [string, number];
        client.disconnect();
        return Number(count);
      }),
    );
    const index = listened.indexOf(1);
    process.kill((nodes[index] as RunningPart).pid, "SIGKILL");
    await until("another to be listened to", async () => {
      await says("again");
      return subscription.isLive && heard.some((text) => text.startsWith("again"));
    });
    nodes[index] = await startNode(index);
  });

  it("has no script and no command of ours that is about two keys", async () => {
    const sources = typescriptSources().filter(
      ({ path }) => /^(kit|gateway|services|consumers)\//.test(path) && !path.endsWith(".test.ts"),
    );
    const scripts = sources.filter(({ text }) => /\bKEYS\[/.test(text));
    expect(scripts.length).toBeGreaterThanOrEqual(3);
    for (const { path, text } of sources) {
      expect([path, /\bKEYS\[[^1]/.test(text)]).toEqual([path, false]);
      expect([path, /redis\.(mget|mset|multi|pipeline|rename|sunion|zunion|watch)\b/i.test(text)]).toEqual([
        path,
        false,
      ]);
      for (const [, count] of text.matchAll(/\.eval\(\w+, (\d+)/g)) expect([path, count]).toEqual([path, "1"]);
    }
  });

  it("is there to be deployed, and its address is told", async () => {
    const nodes = await readFile("deploy/kubernetes/components/redis-cluster/nodes.yaml", "utf8");
    expect(nodes).toMatch(/--cluster-enabled\s+- "yes"/);
    expect(nodes).toMatch(/--cluster-node-timeout\s+- "5000"/);
    expect(nodes).toMatch(/containerPort: 6379 .*containerPort: 16379 /);
    expect(await readFile("docs/scaling.md", "utf8")).toContain("cluster=true");
  });
});
