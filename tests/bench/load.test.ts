import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { Creates } from "./creates.ts";
import { load } from "./load.ts";

let server: Server | undefined;

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function serve(answer: RequestListener): Promise<string> {
  server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

const check = (body: string) => body === "right";

test("right answers are counted, with their rate and their times", async () => {
  const url = await serve((_, response) => response.end("right"));
  const outcome = await load({ url, check, seconds: 1 });
  expect(outcome.answers).toBeGreaterThan(0);
  expect(outcome.rate).toBeCloseTo(outcome.answers / outcome.seconds);
  expect(outcome.p99).toBeGreaterThanOrEqual(outcome.p50);
});

test("one wrong body among many fails the run", async () => {
  let count = 0;
  const url = await serve((_, response) => response.end(++count === 100 ? "wrong" : "right"));
  await expect(load({ url, check, seconds: 1 })).rejects.toThrow("1 wrong bodies");
});

test("one answer of another status fails the run", async () => {
  let count = 0;
  const url = await serve((_, response) => response.writeHead(++count === 100 ? 503 : 200).end("right"));
  await expect(load({ url, check, seconds: 1 })).rejects.toThrow("1 × 503");
});

test("an answer that comes with no task, with another one, or with the same one again is wrong", () => {
  const { body, check: isRight } = new Creates({ url: "http://127.0.0.1/" }).load(1);
  const made = {
    ...JSON.parse(body ?? ""),
    taskId: "019aa5a0-0000-7000-8000-000000000001",
    ownerId: "019aa5a0-0000-7000-8000-000000000002",
    status: "STATUS_OPEN",
    revision: "1",
    etag: "1-00000001",
    createTime: "2026-11-21T12:00:00Z",
  };
  const other = { ...made, taskId: "019aa5a0-0000-7000-8000-000000000003" };
  expect(isRight(JSON.stringify(made))).toBe(true);
  expect(isRight(JSON.stringify(made))).toBe(false);
  expect(isRight(JSON.stringify({ ...other, title: "Another" }))).toBe(false);
  expect(() => isRight("<html>")).toThrow();
});
