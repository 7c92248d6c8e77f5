import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type OpsServer, startOpsServer } from "./server.ts";
import { Watch } from "./watch.ts";

const token = "t".repeat(43);
const bearer = { authorization: `Bearer ${token}` };
let server: OpsServer;
let base: string;
let watch: Watch;

beforeAll(async () => {
  watch = new Watch({
    source: { envoyUrl: undefined, brokers: [], instances: async () => [{ name: "x", unit: "task", status: "ready" }] },
    openLag: () => ({ read: async () => [], close: async () => {} }),
    everyMs: 20,
  });
  server = await startOpsServer({
    host: "127.0.0.1",
    port: 0,
    token,
    watch,
    jaegerUrl: "http://127.0.0.1:1",
    prometheusUrl: "http://127.0.0.1:9090",
    partsMetrics: async () => "pg_up 1\n",
    hosts: ["ops"],
  });
  base = `http://127.0.0.1:${server.port}`;
});

afterAll(() => server.close());

async function link(): Promise<string> {
  const response = await fetch(`${base}/ops/tickets`, { method: "POST", headers: bearer });
  const { ticket } = (await response.json()) as { ticket: string };
  return `${base}/ops/enter?ticket=${ticket}`;
}

function statusAs(host: string, path: string): Promise<number | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
  request(base + path, { headers: { host } }, (response) => {
    response.resume();
    resolve(response.statusCode);
  })
    .on("error", reject)
    .end();
  return promise;
}

describe("who gets in", () => {
  test.each([
    ["no token", {}],
    ["another token", { authorization: `Bearer ${"u".repeat(43)}` }],
    ["a part of the token", { authorization: `Bearer ${token.slice(1)}` }],
    ["the token as a cookie", { cookie: `taskmesh_ops=${token}` }],
    ["an empty cookie", { cookie: "taskmesh_ops=" }],
  ])("nobody with %s", async (_, headers) => {
    const paths = ["/ops", "/ops/main.js", "/ops/api/picture", "/ops/api/stream", "/ops/api/traces", "/ops/nothing"];
    for (const path of paths) expect((await fetch(base + path, { headers })).status, path).toBe(401);
    expect((await fetch(`${base}/ops/tickets`, { method: "POST", headers })).status).toBe(401);
  });

  test("a browser is told how, in a page without scripts", async () => {
    const response = await fetch(`${base}/ops`, { headers: { accept: "text/html" } });
    expect(response.status).toBe(401);
    const page = await response.text();
    expect(page).toContain("npx mesh ops");
    expect(page).not.toContain("<script");
  });

  test("whoever has the token or the cookie of a link", async () => {
    const entered = await fetch(await link(), { redirect: "manual" });
    expect(entered.status).toBe(303);
    const cookie = entered.headers.get("set-cookie") ?? "";
    expect(cookie).toMatch(/; HttpOnly/);
    expect(cookie).toMatch(/; SameSite=Strict/);
    expect(cookie).toMatch(/; Path=\/ops/);
    expect(cookie).not.toContain(token);
    for (const headers of [bearer, { cookie: cookie.split(";")[0] ?? "" }]) {
      expect((await fetch(`${base}/ops`, { headers })).status).toBe(200);
      expect((await fetch(`${base}/ops/api/picture`, { headers })).status).toBe(200);
    }
  });

  test("nobody twice with one link, and nobody with a made-up one", async () => {
    const good = await link();
    const statuses: number[] = [];
    for (const url of [good, good, `${base}/ops/enter?ticket=x`, `${base}/ops/enter`]) {
      statuses.push((await fetch(url, { redirect: "manual" })).status);
    }
    expect(statuses).toEqual([303, 401, 401, 401]);
  });

  test("nobody who asks for another host, whatever they have", async () => {
    for (const host of [
      "evil.example",
      "127.0.0.1.evil.example",
      "localhost.evil.example:9902",
      "0x7f000001",
      "[::2]",
    ]) {
      expect(await statusAs(host, "/metrics"), host).toBe(403);
    }
    for (const host of ["localhost", "LOCALHOST:1", "127.0.0.1:9902", "[::1]:9902", "ops:9902"]) {
      expect(await statusAs(host, "/metrics"), host).toBe(200);
    }
  });
});

test("every file of the page comes under a policy that allows no inline script and nothing from elsewhere", async () => {
  const page = await (await fetch(`${base}/ops`, { headers: bearer })).text();
  expect(page).not.toMatch(/<script>|<style>| style=| on[a-z]+=|https?:\/\//);
  const files = [...page.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, path]) => path as string);
  const modules = new Set(files);
  for (const path of modules) {
    const response = await fetch(base + path, { headers: bearer });
    expect(response.status, path).toBe(200);
    expect(response.headers.get("content-security-policy")).toMatch(/^default-src 'none'; script-src 'self'; /);
    const text = await response.text();
    expect(text, path).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(/);
    for (const [, name] of text.matchAll(/from "\.\/([\w-]+\.js)"/g)) modules.add(`/ops/${name}`);
  }
  expect(modules.size).toBeGreaterThan(8);
});

test("the metrics of the parts need no token", async () => {
  expect(await (await fetch(`${base}/metrics`)).text()).toBe("pg_up 1\n");
});

test("the pages are told where Prometheus is, and nobody else is", async () => {
  const response = await fetch(`${base}/ops/api/links`, { headers: bearer });
  expect(await response.json()).toEqual({ prometheus: "http://127.0.0.1:9090" });
  expect((await fetch(`${base}/ops/api/links`)).status).toBe(401);
});

test("wrong fields are named, and a Jaeger that is away is said to be", async () => {
  const ask = async (path: string) => {
    const response = await fetch(`${base}/ops/api/${path}`, { headers: bearer });
    return [response.status, await response.json()];
  };
  expect(await ask("traces?minDuration=long")).toEqual([400, { field: "minDuration", error: expect.any(String) }]);
  expect(await ask("traces")).toEqual([503, { error: "Jaeger does not answer" }]);
  expect(await ask("services")).toEqual([503, { error: "Jaeger does not answer" }]);
  expect(await ask(`traces/${"a".repeat(32)}`)).toEqual([503, { error: "Jaeger does not answer" }]);
  expect(await ask("traces/../../etc")).toEqual([404, { error: "not found" }]);
});

test("a stream brings picture after picture, and its end ends the looking", async () => {
  const abort = new AbortController();
  const { body } = await fetch(`${base}/ops/api/stream`, { headers: bearer, signal: abort.signal });
  let text = "";
  for await (const chunk of body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    if (text.split("data: ").length > 3) break;
  }
  expect(text).toMatch(/^retry: 1000\n\ndata: \{.*\}\n\ndata: \{/);
  abort.abort();
  await expect.poll(() => watch.seers).toBe(0);
});

test("a seventeenth to look is told that there are enough", async () => {
  const abort = new AbortController();
  const look = () => fetch(`${base}/ops/api/stream`, { headers: bearer, signal: abort.signal });
  const statuses = (await Promise.all(Array.from({ length: 17 }, look))).map(({ status }) => status);
  expect(statuses.toSorted()).toEqual([...Array(16).fill(200), 503]);
  abort.abort();
  await expect.poll(() => watch.seers).toBe(0);
});
