import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { newApiKey } from "#kit/auth/api-key.ts";
import type { CallContext } from "#kit/grpc/service.ts";
import { newId } from "#kit/id.ts";
import { type Edge, startEdge } from "./edge.ts";

const watchRpc = "notification.v1.NotificationService/WatchNotifications";
const path = `/${watchRpc}`;
const frame = Buffer.from("\0\0\0\0\x02{}");

let edge: Edge;
/** Calls of WatchNotifications that nobody has ended. */
let open = 0;

beforeAll(async () => {
  edge = await startEdge();
  edge.handlers.set(watchRpc, async function* (_request: unknown, { signal }: CallContext) {
    open += 1;
    signal.addEventListener("abort", () => {
      open -= 1;
    });
    yield { cursor: "1" };
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
  });
});
afterAll(() => edge.close());
beforeEach(() => {
  open = 0;
});

interface Metrics {
  requests: { total: number; active: number };
  recent: { serverErrorRate: number };
}

async function metrics(): Promise<Metrics> {
  return (await (await fetch(`${edge.url}/health/metrics`)).json()) as Metrics;
}

/** A connection that has sent a request, or the beginning of one. */
async function sent(head: string[], body: Buffer | string): Promise<Socket> {
  const { hostname, port } = new URL(edge.url);
  const socket = connect(Number(port), hostname);
  socket.on("error", () => {});
  await new Promise<void>((resolve) =>
    socket.write(Buffer.concat([Buffer.from([...head, "host: edge", "", ""].join("\r\n")), Buffer.from(body)]), () =>
      resolve(),
    ),
  );
  return socket;
}

/** An API key whose exchange waits until the caller has gone. */
function slowKey() {
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<void>();
  edge.handlers.set("auth.v1.AuthService/ExchangeApiKey", async () => {
    asked.resolve();
    await answer.promise;
    return { accessToken: edge.issuer.token(), expiresIn: 900 };
  });
  return { authorization: `Bearer ${newApiKey(newId())}`, asked: asked.promise, answer: answer.resolve };
}

describe("a body that breaks off is no fault of ours", () => {
  test.each([
    ["REST", "/v1/tasks"],
    ["Connect", "/task.v1.TaskService/CreateTask"],
  ])("%s", async (_protocol, target) => {
    const before = await metrics();
    const token = `authorization: Bearer ${edge.issuer.token()}`;
    const head = [`POST ${target} HTTP/1.1`, "content-type: application/json", "content-length: 1000", token];
    const socket = await sent(head, '{"title":');
    // So much of it has come by the time that something else was answered.
    await metrics();
    socket.resetAndDestroy();
    await expect.poll(async () => (await metrics()).requests).toEqual({ total: before.requests.total + 1, active: 0 });
    expect((await metrics()).recent.serverErrorRate).toBe(0);
  });
});

describe("who leaves while it is found out who calls has no stream", () => {
  async function leaves(leave: () => void, key: ReturnType<typeof slowKey>, total: number): Promise<void> {
    await key.asked;
    leave();
    // The gateway has seen it by the time that it has answered twice.
    for (let n = 0; n < 2; n++) await metrics();
    key.answer();
    await expect.poll(async () => (await metrics()).requests).toEqual({ total: total + 1, active: 0 });
    await expect.poll(() => open).toBe(0);
  }

  test.each(["application/x-ndjson", "text/event-stream"])("REST, %s", async (accept) => {
    const { requests } = await metrics();
    const key = slowKey();
    const head = ["GET /v1/notifications:watch HTTP/1.1", `accept: ${accept}`, `authorization: ${key.authorization}`];
    const socket = await sent(head, "");
    await leaves(() => socket.resetAndDestroy(), key, requests.total);
  });

  test("Connect", async () => {
    const { requests } = await metrics();
    const key = slowKey();
    const head = [
      `POST ${path} HTTP/1.1`,
      "content-type: application/connect+json",
      `content-length: ${frame.length}`,
      `authorization: ${key.authorization}`,
    ];
    const socket = await sent(head, frame);
    await leaves(() => socket.resetAndDestroy(), key, requests.total);
  });

  test("WebSocket, by a frame that nobody asked for", async () => {
    const { requests } = await metrics();
    const key = slowKey();
    const socket = new WebSocket(`${edge.url.replace("http", "ws")}/v1/notifications:watch`, [
      "taskmesh.v1",
      key.authorization.replace("Bearer ", "bearer."),
    ]);
    socket.on("open", () => socket.send("{}"));
    const closed = new Promise<number>((resolve) => socket.on("close", resolve));
    await leaves(() => undefined, key, requests.total);
    expect(await closed).toBe(1008);
  });

  test("gRPC", async () => {
    const { requests } = await metrics();
    const key = slowKey();
    const session = connectHttp2(edge.grpcUrl);
    session.on("error", () => {});
    const headers = { ":method": "POST", ":path": path, "content-type": "application/grpc+json" };
    const stream = session.request({ ...headers, authorization: key.authorization });
    stream.on("error", () => {});
    stream.end(frame);
    await leaves(() => session.destroy(), key, requests.total);
  });
});

test("a handshake that was refused leaves no connection half open", async () => {
  const { hostname, port } = new URL(edge.url);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  const end = new Promise((resolve) => socket.once("end", resolve));
  let isCut = false;
  socket.on("error", () => {
    isCut = true;
  });
  const head = ["GET /v1/notifications:watch HTTP/1.1", "host: edge", "connection: upgrade", "upgrade: websocket"];
  socket.write([...head, "sec-websocket-version: 7", "", ""].join("\r\n"));
  socket.resume();
  await end;
  // Bytes to a connection that is closed on both sides are answered by a reset.
  await expect.poll(() => (isCut ? true : void socket.write("x"))).toBe(true);
  socket.destroy();
});

test("a refused request for what does not exist is measured once, as refused", async () => {
  const limit = { name: "one", per: "address", callers: ["anonymous"], points: 1, seconds: 3600 } as const;
  const strict = await startEdge({ limits: { limits: [limit], patienceMs: 50 } });
  try {
    const { requests } = await metrics();
    const statuses: number[] = [];
    for (const method of ["GET", "GET", "OPTIONS"]) {
      statuses.push((await fetch(`${strict.url}/v1/nothing`, { method })).status);
    }
    for (const method of ["PUT", "OPTIONS"]) statuses.push((await fetch(`${strict.url}${path}`, { method })).status);
    expect(statuses).toEqual([404, 429, 429, 429, 429]);
    expect((await metrics()).requests.total - requests.total).toBe(statuses.length);
  } finally {
    await strict.close();
  }
});
