import { setTimeout as delay } from "node:timers/promises";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Lifecycle } from "../lifecycle.ts";
import type { Parts } from "./part.ts";
import { Readiness } from "./readiness.ts";
import { endWhenStuck } from "./stuck.ts";

const lifecycles: Lifecycle[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const lifecycle of lifecycles.splice(0)) await lifecycle.stop();
});

async function start(parts: Parts) {
  const lifecycle = new Lifecycle();
  lifecycles.push(lifecycle);
  const readiness = await Readiness.start(lifecycle, parts);
  lifecycle.ready = true;
  return { lifecycle, readiness };
}

const away = () => Promise.reject(new Error("ECONNREFUSED"));
const hanging = () => new Promise(() => {});

describe("readiness", () => {
  it("is there when every required part is, whatever the others are", async () => {
    const { readiness } = await start({ database: { check: () => 1, required: true }, redis: { check: away } });
    expect(readiness.read()).toEqual({ ready: true, failing: [] });
    expect(readiness.complete).toBe(true);
    const names = ["database", "redis", "kafka", "toString"];
    expect(await Promise.all(names.map((name) => readiness.isThere(name)))).toEqual([
      true,
      false,
      undefined,
      undefined,
    ]);
  });

  it("begins with the process and ends with it, at once", async () => {
    const { readiness, lifecycle } = await start({});
    expect(readiness.read().ready).toBe(true);
    void lifecycle.stop();
    expect(readiness.read()).toEqual({ ready: false, failing: ["process"] });
  });

  it.each([
    ["refuses", away],
    ["says nothing", hanging],
  ])("follows a required part that %s and comes back", async (_how, failure) => {
    let check: () => unknown = () => 1;
    const { readiness } = await start({ database: { check: () => check(), required: true } });
    const changes: boolean[] = [];
    readiness.onChange(() => changes.push(readiness.complete));
    check = failure;
    await expect.poll(() => readiness.read()).toEqual({ ready: false, failing: ["database"] });
    expect(await readiness.isThere("database")).toBe(false);
    check = () => 1;
    await expect.poll(() => readiness.read().ready, { timeout: 5_000 }).toBe(true);
    expect(changes).toEqual([false, true]);
  });

  it("takes a late answer for a return", async () => {
    const answer = Promise.withResolvers<void>();
    let asked = 0;
    const check = () => (++asked === 1 ? 1 : answer.promise);
    const { readiness } = await start({ database: { check, required: true } });
    await expect.poll(() => readiness.complete).toBe(false);
    answer.resolve();
    await expect.poll(() => readiness.complete).toBe(true);
    expect(asked).toBe(2);
  });

  it("does not call a part away because this process was busy", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    let asked = 0;
    const check = () => {
      if (++asked !== 2) return 1;
      setTimeout(() => {
        // The answer has arrived by the time that this is over, and nobody could read it yet.
        setImmediate(resolve);
        const end = performance.now() + 600;
        while (performance.now() < end);
      }, 10);
      return promise;
    };
    const { readiness } = await start({ database: { check, required: true } });
    const changes: boolean[] = [];
    readiness.onChange(() => changes.push(readiness.complete));
    await expect.poll(() => asked, { timeout: 10_000 }).toBeGreaterThan(3);
    expect(changes).toEqual([]);
  });

  it("asks a part that is not required only when somebody wants to know, once for all of them", async () => {
    let asked = 0;
    const { readiness } = await start({ redis: { check: () => ++asked } });
    await delay(300);
    expect(asked).toBe(0);
    await Promise.all(Array.from({ length: 50 }, () => readiness.isThere("redis")));
    expect(asked).toBe(1);
  });
});

describe("a process that is stuck", () => {
  function watched(failing: () => string[], dependenciesWork?: () => Promise<unknown>) {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
    const faults: string[] = [];
    const lifecycle = new Lifecycle({ onFailure: (error) => faults.push((error as Error).message) });
    lifecycles.push(lifecycle);
    const readiness = { read: () => ({ ready: false, failing: failing() }) };
    endWhenStuck({ readiness, lifecycle, own: ["email"], ...(dependenciesWork && { dependenciesWork }) });
    return faults;
  }

  it("ends when a part of its own stays away although nothing that it depends on does", () => {
    const faults = watched(() => ["email"]);
    vi.advanceTimersByTime(60_000);
    expect(faults).toEqual([]);
    vi.advanceTimersByTime(2_000);
    expect(faults).toEqual(["stuck for 60 s: email"]);
  });

  it("never ends because of what it depends on", () => {
    const faults = watched(() => ["kafka", "email"]);
    vi.advanceTimersByTime(3_600_000);
    expect(faults).toEqual([]);
  });

  it("never ends because of what is there and does not do its work, and soon after it does", async () => {
    let works = false;
    const faults = watched(
      () => ["email"],
      () => (works ? Promise.resolve() : Promise.reject(new Error("no coordinator"))),
    );
    await vi.advanceTimersByTimeAsync(600_000);
    expect(faults).toEqual([]);
    works = true;
    await vi.advanceTimersByTimeAsync(62_000);
    expect(faults).toEqual(["stuck for 60 s: email"]);
  });

  it("never ends when it recovers in time", () => {
    let seconds = 0;
    const faults = watched(() => (++seconds % 50 === 0 ? [] : ["email"]));
    vi.advanceTimersByTime(3_600_000);
    expect(faults).toEqual([]);
  });
});
