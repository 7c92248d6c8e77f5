import { Redis } from "ioredis";
import type { Lifecycle } from "#kit/lifecycle.ts";
import { logger } from "#observability/logger.ts";

export type { Redis };

const log = logger("redis");

export interface RedisOptions {
  url: string;
  lifecycle: Lifecycle;
  /** How long a command may take, in milliseconds. */
  commandTimeoutMs?: number;
}

/**
 * Opens a connection that never stands in the way: while Redis is away every command fails at once, and the connection
 * comes back by itself. Only the first second of a process waits for it. Errors of commands are the caller's to absorb.
 */
export function openRedis({ url, lifecycle, commandTimeoutMs = 100 }: RedisOptions): Redis {
  const redis = new Redis(url, {
    commandTimeout: commandTimeoutMs,
    // A server that hangs is worse than one that is gone: a silent connection is given up, and then nothing waits for it.
    socketTimeout: commandTimeoutMs * 3,
    connectTimeout: 1000,
    maxRetriesPerRequest: 1,
    autoResendUnfulfilledCommands: false,
    retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 6), 1000),
  });
  failFastAfterStart(redis);
  logChanges(redis);
  return lifecycle.use("redis", redis, async (open) => {
    await open.quit().catch(() => {});
    open.disconnect();
  });
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
