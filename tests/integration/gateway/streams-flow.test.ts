import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import type { CallContext } from "#kit/grpc/service.ts";
import { until } from "../../_util/until.ts";
import { type Edge, startEdge } from "./edge.ts";
import { forms, hear, pieces, watchName, watchPath } from "./stream-clients.ts";

async function withEdge(
  use: (edge: Edge, headers: { authorization: string }) => Promise<void>,
  settings: Parameters<typeof startEdge>[0] = {},
): Promise<void> {
  const edge = await startEdge(settings);
  try {
    await use(edge, { authorization: `Bearer ${edge.issuer.token()}` });
  } finally {
    await edge.close();
  }
}

const body = "x".repeat(64 * 1024);
const total = 600;

/** Says more than all buffers on the way can hold; answers how much of it was taken. */
function flood(edge: Edge): { taken: () => number } {
  let taken = 0;
  edge.handlers.set(watchName, async function* () {
    for (; taken < total; taken += 1) {
      yield { cursor: String(taken), change: { case: "created", value: { notificationId: "n", body } } };
    }
  });
  return { taken: () => taken };
}

/** Waits until nothing more is taken. */
async function settled(taken: () => number): Promise<number> {
  return until("the flow to stop", async () => {
    const before = taken();
    await delay(300);
    return before > 0 && taken() === before ? before : undefined;
  });
}

test("a reader that reads nothing by NDJSON holds the service back, and then misses nothing", () =>
  withEdge(async (edge, { authorization }) => {
    const { taken } = flood(edge);
    const { hostname, port } = new URL(edge.url);
    const socket = connect(Number(port), hostname);
    socket.pause();
    socket.write(
      `GET ${watchPath} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: ${authorization}\r\n\r\n`,
    );
    expect(await settled(taken)).toBeLessThan(total);
    let text = "";
    for await (const chunk of socket) text += chunk;
    const cursors = [...text.matchAll(/"cursor":"(\d+)"/g)].map(([, cursor]) => Number(cursor));
    expect(cursors).toEqual(Array.from({ length: total }, (_, index) => index));
  }));

test("a reader that reads nothing by WebSocket holds the service back, and then misses nothing", () =>
  withEdge(async (edge, headers) => {
    const { taken } = flood(edge);
    const socket = new WebSocket(`${edge.url.replace("http", "ws")}${watchPath}`, { headers });
    const cursors: number[] = [];
    socket.on("message", (data) => cursors.push(Number(JSON.parse(String(data)).result.cursor)));
    const closed = once(socket, "close");
    await once(socket, "open");
    socket.pause();
    expect(await settled(taken)).toBeLessThan(total);
    socket.resume();
    await closed;
    expect(cursors).toEqual(Array.from({ length: total }, (_, index) => index));
  }));

test("a slow reader keeps nobody else waiting", () =>
  withEdge(async (edge, headers) => {
    const { taken } = flood(edge);
    const stuck = new WebSocket(`${edge.url.replace("http", "ws")}${watchPath}`, { headers });
    await once(stuck, "open");
    stuck.pause();
    await settled(taken);
    edge.handlers.set(watchName, async function* () {
      yield { cursor: "free" };
    });
    for (const form of forms) expect(await hear(edge, form, { headers })).toMatchObject({ end: "well" });
    stuck.terminate();
  }));

describe("signs of life", () => {
  const often = { streams: { heartbeatMs: 50, patienceMs: 60_000 } };
  // Long enough for an answer of this very process, whatever else runs on the machine.
  const seldom = { streams: { heartbeatMs: 500, patienceMs: 60_000 } };
  /** Plays a service that says one thing and then nothing until its caller goes; answers why the call ended. */
  const quiet = (edge: Edge) => {
    const ended = Promise.withResolvers<Error>();
    edge.handlers.set(watchName, async function* (_request: unknown, { signal }: CallContext) {
      yield { cursor: "c1" };
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      ended.resolve(signal.reason);
    });
    return ended.promise;
  };

  test("are comments in server-sent events", () =>
    withEdge(async (edge, headers) => {
      quiet(edge);
      const leaving = new AbortController();
      const response = await fetch(`${edge.url}${watchPath}`, {
        headers: { ...headers, accept: "text/event-stream" },
        signal: leaving.signal,
      });
      let comments = 0;
      for await (const text of pieces(response.body as ReadableStream<Uint8Array>, "\n\n")) {
        if (text.startsWith(":") && ++comments === 3) break;
      }
      leaving.abort();
      expect(comments).toBe(3);
    }, often));

  test("are pings in a WebSocket, and a peer that answers none is cut off", () =>
    withEdge(async (edge, headers) => {
      const url = `${edge.url.replace("http", "ws")}${watchPath}`;
      quiet(edge);
      const alive = new WebSocket(url, { headers });
      for (let pings = 0; pings < 3; pings += 1) await once(alive, "ping");
      alive.close();
      await once(alive, "close");

      const ended = quiet(edge);
      const dead = new WebSocket(url, { headers, autoPong: false });
      expect((await once(dead, "close"))[0]).toBe(1006);
      expect(await ended).toMatchObject({ reason: ErrorReason.CANCELLED });
    }, seldom));

  test("must be taken: who takes nothing for too long is cut off, and the call ends at the service", () =>
    withEdge(
      async (edge, { authorization }) => {
        let ended = 0;
        edge.handlers.set(watchName, async function* () {
          try {
            for (;;) yield { cursor: "c", change: { case: "created", value: { notificationId: "n", body } } };
          } finally {
            ended += 1;
          }
        });
        const { hostname, port } = new URL(edge.url);
        const socket = connect(Number(port), hostname);
        socket.pause();
        socket.write(`GET ${watchPath} HTTP/1.1\r\nhost: x\r\nauthorization: ${authorization}\r\n\r\n`);
        const stuck = new WebSocket(`${edge.url.replace("http", "ws")}${watchPath}`, { headers: { authorization } });
        await once(stuck, "open");
        stuck.pause();
        await until("the end of both calls", () => ended === 2);
        socket.resume();
        stuck.resume();
        await Promise.all([once(socket, "close"), once(stuck, "close")]);
      },
      { streams: { heartbeatMs: 15_000, patienceMs: 200 } },
    ));
});

test.each(forms)("a gateway that closes tells its streams to go on elsewhere: %s", async (form) => {
  const edge = await startEdge();
  const headers = { authorization: `Bearer ${edge.issuer.token()}` };
  const opened = Promise.withResolvers<void>();
  edge.handlers.set(watchName, async function* (_request: unknown, { signal }: CallContext) {
    yield { cursor: "c1" };
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
  });
  const heard = hear(edge, form, { headers, onMessage: () => opened.resolve() });
  await opened.promise;
  await edge.close();
  expect(await heard).toMatchObject({
    messages: [{ cursor: "c1" }],
    end: { code: "UNAVAILABLE", reason: "UNAVAILABLE" },
  });
});
