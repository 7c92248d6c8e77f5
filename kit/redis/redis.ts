import { Cluster, Redis as Node, type RedisOptions as NodeOptions } from "ioredis";
import type { Lifecycle } from "#kit/lifecycle.ts";
import { logger } from "#observability/logger.ts";

export type Redis = Node | Cluster;

const log = logger("redis");

export interface RedisOptions {
  /** With `?cluster=true`: the address of any node of a Redis Cluster. */
  url: string;
  lifecycle: Lifecycle;
  /** How long a command may take, in milliseconds. */
  commandTimeoutMs?: number;
}

/**
 * Opens a connection that never stands in the way: while Redis is away every command fails at once, and the connection
 * comes back by itself. Only the first second of a process waits for it. Errors of commands are the caller's to absorb.
 * Every command and script is about one key, so that a cluster can do each at the node that has it.
 */
export function openRedis({ url, lifecycle, commandTimeoutMs = 100 }: RedisOptions): Redis {
  const patience = {
    commandTimeout: commandTimeoutMs,
    // A server that hangs is worse than one that is gone: a silent connection is given up, and then nothing waits for it.
    socketTimeout: commandTimeoutMs * 3,
    connectTimeout: 1000,
    maxRetriesPerRequest: 1,
    autoResendUnfulfilledCommands: false,
  };
  const redis = isCluster(url) ? openCluster(url, patience) : new Node(url, { ...patience, retryStrategy });
  failFastAfterStart(redis);
  logChanges(redis);
  return lifecycle.use("redis", redis, async (open) => {
    await open.quit().catch(() => {});
    open.disconnect();
  });
}

/** A connection of its own beside one that is open; of a cluster to any node, for each hears what is published at another. */
export function openBeside(redis: Redis, options: NodeOptions): Node {
  if (!(redis instanceof Cluster)) return redis.duplicate(options);
  const beside: Node = new Node({
    ...redis.options.redisOptions,
    ...options,
    lazyConnect: true,
    retryStrategy: (times) => {
      moveOn(redis, beside);
      return retryStrategy(times);
    },
  });
  const begin = () => {
    moveOn(redis, beside);
    beside.connect().catch(() => {});
  };
  if (redis.status === "ready") begin();
  else redis.once("ready", begin);
  return beside;
}

const retryStrategy = (times: number): number => Math.min(50 * 2 ** Math.min(times, 6), 1000);

function isCluster(url: string): boolean {
  return new URL(url).searchParams.get("cluster") === "true";
}

function openCluster(text: string, patience: NodeOptions): Cluster {
  const { hostname, port, username, password, protocol } = new URL(text);
  return new Cluster([{ host: hostname, port: Number(port || 6379) }], {
    clusterRetryStrategy: retryStrategy,
    // A node that has gone or moved is looked for at once, and not for long.
    maxRedirections: 3,
    retryDelayOnFailover: 20,
    retryDelayOnClusterDown: 20,
    redisOptions: {
      ...patience,
      ...(username && { username: decodeURIComponent(username) }),
      ...(password && { password: decodeURIComponent(password) }),
      ...(protocol === "rediss:" && { tls: {} }),
    },
    // Nodes are called by the names that their certificates have, where they announce names.
    ...(protocol === "rediss:" && { dnsLookup: (name, done) => done(null, name) }),
  });
}

/** Points a connection to a node of the cluster, another than it had, if there is one. */
function moveOn(cluster: Cluster, connection: Node): void {
  const placeOf = ({ options: { host, port } }: Node) => `${host}:${port}`;
  const others = cluster.nodes("master").filter((node) => placeOf(node) !== placeOf(connection));
  const node = others[Math.floor(Math.random() * others.length)];
  if (node !== undefined) Object.assign(connection.options, { host: node.options.host, port: node.options.port });
}

function failFastAfterStart(redis: Redis): void {
  const failFast = () => {
    redis.options.enableOfflineQueue = false;
  };
  redis.once("ready", failFast);
  setTimeout(failFast, 1000).unref();
}

/** One line when the connection is lost and one when it is back, however often it is tried in between. */
function logChanges(redis: Redis): void {
  let away = false;
  redis.on("error", (error: Error & { code?: string }) => {
    if (!away) log.warn({ code: error.code ?? error.name }, "redis is away");
    away = true;
  });
  redis.on("ready", () => {
    if (away) log.info("redis is back");
    away = false;
  });
}
