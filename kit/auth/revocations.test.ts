import { EventEmitter } from "node:events";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Lifecycle } from "../lifecycle.ts";
import type { Redis } from "../redis/redis.ts";
import { Revocations, revokedChannel, startRevocations } from "./revocations.ts";

/** The few things of a connection that a subscription uses. */
class FakeRedis extends EventEmitter {
  readonly subscribe = vi.fn(async (_channel: string) => 1);
  readonly disconnect = vi.fn();
  readonly duplicate = () => this;
}

describe("Revocations", () => {
  it("asks for everything first, and then for what is new with some overlap", async () => {
    const asked: (number | undefined)[] = [];
    const revocations = new Revocations(async (withinMs) => {
      asked.push(withinMs);
      return [`session-${asked.length}`];
    });
    await revocations.poll();
    await revocations.poll();
    expect(asked[0]).toBeUndefined();
    expect(asked[1]).toBeGreaterThanOrEqual(5_000);
    expect(revocations.has("session-1") && revocations.has("session-2")).toBe(true);
    expect(revocations.has("session-3")).toBe(false);
  });

  it("covers the time in which nobody answered, and keeps what it knows meanwhile", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    let answer: () => Promise<string[]> = async () => ["session-1"];
    let asked: number | undefined;
    const revocations = new Revocations((withinMs) => {
      asked = withinMs;
      return answer();
    });
    await revocations.poll();
    answer = () => Promise.reject(new Error("away"));
    vi.advanceTimersByTime(60_000);
    await revocations.poll();
    expect(revocations.has("session-1")).toBe(true);
    answer = async () => ["session-2"];
    vi.advanceTimersByTime(60_000);
    await revocations.poll();
    expect(asked).toBeGreaterThanOrEqual(125_000);
    expect(revocations.has("session-2")).toBe(true);
    vi.useRealTimers();
  });

  it("stays bounded, whatever is announced", () => {
    const revocations = new Revocations(async () => []);
    for (let n = 0; n < 100_001; n++) revocations.add(`session-${n}`);
    revocations.add("x".repeat(10_000));
    expect(revocations.has("session-0")).toBe(false);
    expect(revocations.has("session-100000")).toBe(true);
    expect(revocations.has("x".repeat(10_000))).toBe(false);
  });
});

describe("startRevocations", () => {
  let lifecycle: Lifecycle;
  beforeEach(() => {
    lifecycle = new Lifecycle();
  });
  afterEach(() => lifecycle.stop());

  it("polls until the process stops", async () => {
    const list = vi.fn(async () => ["session-1"]);
    const revocations = startRevocations({ list, lifecycle });
    await vi.waitFor(() => expect(list.mock.calls.length).toBeGreaterThanOrEqual(2), 5_000);
    expect(revocations.has("session-1")).toBe(true);
    await lifecycle.stop();
    const asked = list.mock.calls.length;
    await new Promise((resolve) => setImmediate(resolve));
    expect(list).toHaveBeenCalledTimes(asked);
  });

  it("hears announcements at once, and subscribes again when the connection comes back", async () => {
    const redis = new FakeRedis();
    const revocations = startRevocations({ list: async () => [], redis: redis as unknown as Redis, lifecycle });
    redis.emit("ready");
    redis.emit("message", revokedChannel, "session-1");
    expect(revocations.has("session-1")).toBe(true);
    redis.emit("error", new Error("away"));
    redis.emit("close");
    redis.emit("ready");
    expect(redis.subscribe.mock.calls).toEqual([[revokedChannel], [revokedChannel]]);
    await lifecycle.stop();
    expect(redis.disconnect).toHaveBeenCalled();
  });
});
