import { newId } from "#kit/id.ts";
import type { Lifecycle } from "#kit/lifecycle.ts";
import type { Redis } from "#kit/redis/redis.ts";
import { logger } from "#observability/logger.ts";

const log = logger("streams");

/** Every open stream by its id: which gateway has it, whose it is, how it is spoken and since when. */
export const connectionsKey = "ws_connections";
/** The gateways that have streams, by the time until which they count. */
export const instancesKey = "ws_instances";
/** The same streams by their user. */
export const userConnectionsKey = (userId: string) => `user_connections:${userId}`;

const beatMs = 30_000;
const maxGone = 10_000;
/** The longest that anybody is connected is far less. */
const longestSeconds = 24 * 3_600;

/**
 * KEYS[1]; ARGV: a gateway, how long it counts (milliseconds). Answers whether it was known, and which others are over.
 * The clock is Redis' own.
 */
const beatScript = `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local known = redis.call('HEXISTS', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[1], ARGV[1], now + ARGV[2])
local over = {}
local all = redis.call('HGETALL', KEYS[1])
for place = 1, #all, 2 do
  if tonumber(all[place + 1]) < now then table.insert(over, all[place]) end
end
return {known, over}`;

interface Entry {
  userId: string;
  value: string;
}

export interface StreamRegistryOptions {
  /** Undefined: nobody is told. */
  redis: Redis | undefined;
  instanceId: string;
  lifecycle: Lifecycle;
  /** How often this gateway shows that it lives, in milliseconds; it counts three times as long. */
  beatEveryMs?: number;
}

/**
 * Tells Redis of every stream that is open here, so that all gateways' streams can be seen in one place. Nothing depends
 * on it: streams go on without Redis, which is told anew once it is back. What a gateway leaves behind that died, the
 * next that has a stream takes away.
 */
export class StreamRegistry {
  readonly #redis: Redis | undefined;
  readonly #beatEveryMs: number;
  /** Of this run: another process of the same name later has streams of its own. */
  readonly #instance: string;
  readonly #open = new Map<string, Entry>();
  /** Streams whose end Redis did not hear of. */
  readonly #gone = new Map<string, string>();
  #timer: NodeJS.Timeout | undefined;

  constructor({ redis, instanceId, lifecycle, beatEveryMs = beatMs }: StreamRegistryOptions) {
    this.#redis = redis;
    this.#beatEveryMs = beatEveryMs;
    this.#instance = `${instanceId}/${newId()}`;
    redis?.on("ready", () => {
      if (this.#open.size > 0) void this.#beat();
    });
    lifecycle.use("stream registry", this, (registry) => registry.#leave());
  }

  /** Notes a stream. Answers with what notes its end. */
  opened(userId: string, kind: string): () => void {
    if (this.#redis === undefined) return () => {};
    const id = newId();
    const value = JSON.stringify({ instance: this.#instance, userId, kind, since: new Date().toISOString() });
    this.#open.set(id, { userId, value });
    this.#tell(id, { userId, value }).catch(() => {});
    if (this.#timer === undefined) {
      void this.#beat();
      this.#timer = setInterval(() => void this.#beat(), this.#beatEveryMs).unref();
    }
    return () => this.#closed(id, userId);
  }

  #closed(id: string, userId: string): void {
    this.#open.delete(id);
    this.#forget(id, userId).catch(() => {
      if (this.#gone.size < maxGone) this.#gone.set(id, userId);
    });
    if (this.#open.size > 0 || this.#gone.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #tell(id: string, { userId, value }: Entry): Promise<void> {
    const key = userConnectionsKey(userId);
    await Promise.all([
      this.#redis?.hset(connectionsKey, id, value),
      this.#redis?.hset(key, id, value),
      this.#redis?.expire(key, longestSeconds),
    ]);
  }

  async #forget(id: string, userId: string): Promise<void> {
    await Promise.all([this.#redis?.hdel(connectionsKey, id), this.#redis?.hdel(userConnectionsKey(userId), id)]);
  }

  /** Shows that this gateway lives, tells what Redis missed, and takes away what the dead have left. Never rejects. */
  async #beat(): Promise<void> {
    if (this.#redis?.status !== "ready") return;
    try {
      const [known, over] = (await this.#redis.eval(
        beatScript,
        1,
        instancesKey,
        this.#instance,
        3 * this.#beatEveryMs,
      )) as [number, string[]];
      if (known === 0) await Promise.all([...this.#open].map(([id, entry]) => this.#tell(id, entry)));
      for (const [id, userId] of this.#gone) {
        await this.#forget(id, userId);
        this.#gone.delete(id);
      }
      if (over.length > 0) await this.#sweep(new Set(over));
    } catch (error) {
      log.debug({ error }, "cannot tell of the streams");
    }
  }

  async #sweep(over: ReadonlySet<string>): Promise<void> {
    let cursor = "0";
    do {
      const [next, found] = (await this.#redis?.hscan(connectionsKey, cursor, "COUNT", 500)) ?? ["0", []];
      for (let place = 0; place < found.length; place += 2) {
        const { instance, userId } = JSON.parse(found[place + 1] ?? "{}") as { instance?: string; userId?: string };
        if (instance !== undefined && over.has(instance)) await this.#forget(found[place] ?? "", userId ?? "");
      }
      cursor = next;
    } while (cursor !== "0");
    await this.#redis?.hdel(instancesKey, ...over);
  }

  async #leave(): Promise<void> {
    clearInterval(this.#timer);
    if (this.#timer === undefined) return;
    await Promise.all([...this.#open].map(([id, { userId }]) => this.#forget(id, userId))).catch(() => {});
    await this.#redis?.hdel(instancesKey, this.#instance).catch(() => {});
  }
}
