import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { scrape } from "./scrape.ts";

let server: Server;
let base: string;

beforeAll(async () => {
  server = createServer((request, response) => {
    if (request.url === "/silent") return;
    response.writeHead(request.url === "/metrics" ? 200 : 503).end("up 1\n");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

test("a page that fails, hangs or is away costs its own samples only", async () => {
  const closed = "http://127.0.0.1:1/metrics";
  const pages = await scrape([`${base}/metrics`, `${base}/broken`, `${base}/silent`, closed], { timeoutMs: 200 });
  expect(pages.map(({ samples }) => samples.length)).toEqual([1, 0, 0, 0]);
  expect(pages.map(({ url }) => url)).toEqual([`${base}/metrics`, `${base}/broken`, `${base}/silent`, closed]);
  expect(pages.map(({ error }) => error)).toEqual([
    undefined,
    "answered 503",
    "no answer within 200 ms",
    expect.stringContaining(""),
  ]);
});

test("ends at once when its caller gives up", async () => {
  const [page] = await scrape([`${base}/silent`], { timeoutMs: 60_000, signal: AbortSignal.abort() });
  expect(page?.error).toBeDefined();
});
