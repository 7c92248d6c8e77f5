import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Http2Server, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Code } from "../errors.ts";
import { statusOk } from "./call-end.ts";
import { MeshChannel } from "./channel.ts";
import { frameOf } from "./message-frames.ts";
import { OutgoingStream } from "./outgoing-stream.ts";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const clean of cleanups.splice(0).reverse()) clean();
});

/** A server that answers every call with an empty message. */
async function listen(at: number | string): Promise<{ server: Http2Server; sessions: Set<ServerHttp2Session> }> {
  const sessions = new Set<ServerHttp2Session>();
  const server = createServer();
  server.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
    session.on("error", () => {});
  });
  server.on("stream", (stream) => {
    stream.respond({ "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.on("error", () => {});
    stream.resume();
    stream.end(frameOf(Buffer.alloc(0)));
  });
  if (typeof at === "string") server.listen(at);
  else server.listen(at, "127.0.0.1");
  await once(server, "listening");
  cleanups.push(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  return { server, sessions };
}

const portOf = (server: Http2Server) => (server.address() as AddressInfo).port;

function channelTo(address: string): MeshChannel {
  const channel = new MeshChannel(address);
  cleanups.push(() => channel.close());
  return channel;
}

/** The status that a call ends with. */
function call(channel: MeshChannel): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const headers = [":method", "POST", ":path", "/a.B/C", "content-type", "application/grpc", "te", "trailers"];
  const request = { headers, frame: frameOf(Buffer.alloc(0)), deadlineMs: Date.now() + 5_000 };
  const onEnd = ({ code }: { code: number }) => resolve(code);
  new OutgoingStream(channel, request, { onHeaders: () => {}, onMessage: () => {}, onEnd }).start();
  return promise;
}

const many = (channel: MeshChannel, count: number) =>
  Promise.all(Array.from({ length: count }, () => call(channel))).then((codes) => new Set(codes));

describe("a channel", () => {
  it("makes its connections with the first call, both of them, and keeps them", async () => {
    const { server, sessions } = await listen(0);
    const channel = channelTo(`127.0.0.1:${portOf(server)}`);
    expect(sessions.size).toBe(0);
    expect(await call(channel)).toBe(statusOk);
    await vi.waitFor(() => expect(sessions.size).toBe(2));
    const before = [...sessions];
    expect(await many(channel, 100)).toEqual(new Set([statusOk]));
    expect([...sessions]).toEqual(before);
  });

  it("speaks over a socket of Unix", async () => {
    const folder = mkdtempSync(join(tmpdir(), "taskmesh-channel-"));
    cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
    await listen(join(folder, "mesh.sock"));
    expect(await call(channelTo(`unix:${join(folder, "mesh.sock")}`))).toBe(statusOk);
  });

  it("says UNAVAILABLE at once while nobody is there, and loses no call once one connection is", async () => {
    const { server } = await listen(0);
    const port = portOf(server);
    server.close();
    await once(server, "close");
    const channel = channelTo(`127.0.0.1:${port}`);
    expect(await many(channel, 10)).toEqual(new Set([Code.UNAVAILABLE]));
    expect(await call(channel)).toBe(Code.UNAVAILABLE);
    const { sessions } = await listen(port);
    await vi.waitFor(async () => expect(await call(channel)).toBe(statusOk), { timeout: 10_000 });
    // The second one is not waited for until its own time is up: nothing is sent into it before.
    expect(await many(channel, 100)).toEqual(new Set([statusOk]));
    await vi.waitFor(() => expect(sessions.size).toBe(2));
  });

  it("finds a peer that is back, however long it was away, with the first call", async () => {
    const { server, sessions } = await listen(0);
    const port = portOf(server);
    const channel = channelTo(`127.0.0.1:${port}`);
    await call(channel);
    server.close();
    for (const session of sessions) session.destroy();
    await once(server, "close");
    // The time between its own attempts has grown to seconds by then.
    for (let attempt = 0; attempt < 6; attempt++) expect(await call(channel)).toBe(Code.UNAVAILABLE);
    await listen(port);
    expect(await call(channel)).toBe(statusOk);
  });

  it("goes on over the other connection while one is made anew, and has two again", async () => {
    const { server, sessions } = await listen(0);
    const channel = channelTo(`127.0.0.1:${portOf(server)}`);
    await call(channel);
    await vi.waitFor(() => expect(sessions.size).toBe(2));
    for (let round = 0; round < 4; round++) {
      const [first] = sessions;
      first?.goaway(0);
      first?.close();
      for (let turn = 0; turn < 20; turn++) expect(await call(channel)).toBe(statusOk);
      await vi.waitFor(() => expect([...sessions].filter(({ closed }) => !closed)).toHaveLength(2));
    }
  });

  it("waits longer and longer for a peer that takes connections and drops them", async () => {
    const { server, sessions } = await listen(0);
    let taken = 0;
    server.on("session", (session) => {
      taken++;
      session.on("remoteSettings", () => session.destroy());
    });
    const channel = channelTo(`127.0.0.1:${portOf(server)}`);
    await call(channel);
    await vi.waitFor(async () => expect(await call(channel)).toBe(Code.UNAVAILABLE), { timeout: 5_000 });
    const before = taken;
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(taken - before).toBeLessThan(20);
    expect(sessions.size).toBeLessThanOrEqual(2);
  });

  it("fails what waits for a connection when it is closed", async () => {
    const { server } = await listen(0);
    const channel = channelTo(`127.0.0.1:${portOf(server)}`);
    const waiting = call(channel);
    channel.close();
    expect(await waiting).toBe(Code.UNAVAILABLE);
    expect(await call(channel)).toBe(Code.UNAVAILABLE);
  });
});
