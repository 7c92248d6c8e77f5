import { afterEach, describe, expect, test } from "vitest";
import { startAdmin } from "./admin.ts";

const closers: Array<() => Promise<void> | void> = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function admin(failing?: string[]) {
  const lifecycle = {
    ready: true,
    use<T>(_name: string, resource: T, close: (resource: T) => Promise<void> | void): T {
      closers.push(() => close(resource));
      return resource;
    },
  };
  const readiness = failing && { read: () => ({ ready: failing.length === 0, failing }) };
  const { port } = await startAdmin({ host: "127.0.0.1", port: 0, lifecycle, readiness });
  const get = async (path: string, init?: RequestInit) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, init);
    const text = await response.text();
    return { status: response.status, body: text === "" ? "" : (JSON.parse(text) as Record<string, unknown>) };
  };
  return { lifecycle, get };
}

describe("the admin page", () => {
  test("is ready when nothing fails", async () => {
    const { get } = await admin([]);
    expect(await get("/ready")).toEqual({ status: 200, body: { status: "ready" } });
    expect(await get("/ready", { method: "HEAD" })).toEqual({ status: 200, body: "" });
  });

  test("names what is away from one question to the next, and is live all the while", async () => {
    const failing: string[] = [];
    const { get } = await admin(failing);
    expect((await get("/ready")).status).toBe(200);
    failing.push("database", "kafka");
    expect(await get("/ready")).toEqual({ status: 503, body: { status: "not ready", failing: ["database", "kafka"] } });
    expect(await get("/live")).toEqual({ status: 200, body: { status: "live" } });
  });

  test("without a readiness of its own follows the lifecycle", async () => {
    const { get, lifecycle } = await admin();
    expect((await get("/ready")).status).toBe(200);
    lifecycle.ready = false;
    expect(await get("/ready")).toEqual({ status: 503, body: { status: "not ready", failing: ["process"] } });
    expect((await get("/live")).status).toBe(200);
  });

  test("has nothing else, and takes no other methods", async () => {
    const { get } = await admin();
    expect((await get("/")).status).toBe(404);
    expect((await get("/live/../secret")).status).toBe(404);
    expect((await get("/live", { method: "POST" })).status).toBe(405);
    expect((await get("/metrics")).status).toBe(404);
  });
});
