import { afterEach, describe, expect, test } from "vitest";
import { type Check, startAdmin } from "./admin.ts";

const closers: Array<() => Promise<void> | void> = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function admin(checks: Record<string, Check> = {}) {
  const lifecycle = {
    ready: true,
    use<T>(_name: string, resource: T, close: (resource: T) => Promise<void> | void): T {
      closers.push(() => close(resource));
      return resource;
    },
  };
  const { port } = await startAdmin({ host: "127.0.0.1", port: 0, lifecycle, checks });
  const get = async (path: string, init?: RequestInit) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, init);
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  return { lifecycle, get };
}

const away = () => {
  throw new Error("connection refused");
};

describe("the admin page", () => {
  test("is ready when every check passes", async () => {
    const { get } = await admin({ database: () => Promise.resolve(1), redis: () => undefined });
    expect(await get("/ready")).toEqual({ status: 200, body: { status: "ready" } });
  });

  test("names what is away, and nothing of why", async () => {
    const { get } = await admin({
      database: away,
      kafka: () => Promise.reject(new Error("secret")),
      redis: () => undefined,
    });
    expect(await get("/ready")).toEqual({ status: 503, body: { status: "not ready", failing: ["database", "kafka"] } });
  });

  test("counts a part that never answers as away", async () => {
    const { get } = await admin({ database: () => new Promise(() => {}) });
    expect(await get("/ready")).toMatchObject({ status: 503, body: { failing: ["database"] } });
  });

  test("is live whatever is away", async () => {
    const { get, lifecycle } = await admin({ database: away });
    lifecycle.ready = false;
    expect(await get("/live")).toEqual({ status: 200, body: { status: "live" } });
  });

  test("is not ready before the start is over and from the moment of stopping, at once", async () => {
    const { get, lifecycle } = await admin({ database: () => undefined });
    expect((await get("/ready")).status).toBe(200);
    lifecycle.ready = false;
    expect(await get("/ready")).toEqual({ status: 503, body: { status: "not ready", failing: ["process"] } });
  });

  test("asks a part once for many that ask at a time, and again later", async () => {
    let asked = 0;
    let healthy = true;
    const { get } = await admin({
      database: () => {
        asked += 1;
        if (!healthy) away();
      },
    });
    await Promise.all(Array.from({ length: 50 }, () => get("/ready")));
    expect(asked).toBeLessThan(5);
    healthy = false;
    await expect.poll(async () => (await get("/ready")).status).toBe(503);
    healthy = true;
    await expect.poll(async () => (await get("/ready")).status).toBe(200);
  });

  test("has nothing else, and takes no other methods", async () => {
    const { get } = await admin();
    expect((await get("/")).status).toBe(404);
    expect((await get("/live/../secret")).status).toBe(404);
    expect((await get("/live", { method: "POST" })).status).toBe(405);
    expect((await get("/metrics")).status).toBe(404);
  });
});
