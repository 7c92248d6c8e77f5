import { once } from "node:events";
import { connect, createServer, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { grpcOver } from "./client.ts";
import { startMesh, type TestMesh } from "./mesh.ts";
import { startGrpcUpstream } from "./upstream.ts";

const calls = 400;
const unavailable = 14;
const read = "/task.v1.TaskService/GetTask";

let mesh: TestMesh;
const closers: (() => void)[] = [];
afterEach(async () => {
  await mesh.stop();
  for (const close of closers.splice(0)) close();
});

/**
 * A service that says that it cannot once all calls have come, so that all of them are under way at once; to a call that
 * comes again it says so after half a second. It is healthy all the same.
 */
async function startFailing(): Promise<{ port: number; attempts: () => number }> {
  let attempts = 0;
  const waiting: (() => void)[] = [];
  const sessions = new Set<ServerHttp2Session>();
  const server = createServer().on("session", (session) => sessions.add(session));
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    const answer = (status: number) =>
      stream.respond(
        { ":status": 200, "content-type": "application/grpc", "grpc-status": String(status) },
        { endStream: true },
      );
    if (String(headers[":path"]).startsWith("/grpc.health.")) {
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      return void stream.end(Buffer.from([0, 0, 0, 0, 2, 8, 1]));
    }
    attempts += 1;
    const refuse = () => stream.destroyed || answer(unavailable);
    if (attempts > calls) return void setTimeout(refuse, 500);
    waiting.push(refuse);
    if (waiting.length === calls) for (const each of waiting) each();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closers.push(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, attempts: () => attempts };
}

/** A service that answers no call before it is told to. */
async function startSlow(): Promise<{ port: number; attempts: () => number; answer: () => void }> {
  const slow = await startGrpcUpstream();
  const { promise, resolve } = Promise.withResolvers<void>();
  slow.held = promise;
  closers.push(() => void slow.stop());
  return { port: slow.port, attempts: () => slow.seen.length, answer: resolve };
}

async function amplification(headers: Record<string, string>): Promise<number> {
  mesh = await startMesh();
  const failing = await startFailing();
  await mesh.setEndpoints("task", [failing]);
  await mesh.untilHealthy("task", 1);
  const session = connect(`http://127.0.0.1:${mesh.mesh}`).setMaxListeners(calls + 10);
  closers.push(() => session.destroy());
  const answers = await Promise.all(Array.from({ length: calls }, () => grpcOver(session, read, headers)));
  expect(new Set(answers.map(({ grpcStatus }) => grpcStatus))).toEqual(new Set([unavailable]));
  return failing.attempts() / calls;
}

test("[beyond.18] an outage with many calls under way makes at most a fifth more of them", async () => {
  const made = await amplification({ "x-mesh-retries-left": "1" });
  expect(made).toBeGreaterThan(1);
  expect(made).toBeLessThanOrEqual(1.2);
});

test("an outage makes no more calls of those that have nothing left to spend", async () => {
  expect(await amplification({ "x-mesh-retries-left": "0" })).toBe(1);
});

test("a service that is slow gets at most a fifth more reads by those that are sent to it twice", async () => {
  mesh = await startMesh();
  const slow = await startSlow();
  await mesh.setEndpoints("task", [slow]);
  await mesh.untilHealthy("task", 1);
  const session = connect(`http://127.0.0.1:${mesh.mesh}`).setMaxListeners(calls + 10);
  closers.push(() => session.destroy());
  const answers = Array.from({ length: calls }, () => grpcOver(session, read, { "x-mesh-retries-left": "1" }));
  const considered = async () =>
    (await mesh.stat("cluster.task.upstream_rq_retry")) + (await mesh.stat("cluster.task.upstream_rq_retry_overflow"));
  await expect.poll(considered, { timeout: 20_000 }).toBe(calls);
  await expect.poll(slow.attempts, { timeout: 20_000 }).toBeGreaterThan(calls);
  slow.answer();
  expect(new Set((await Promise.all(answers)).map(({ grpcStatus }) => grpcStatus))).toEqual(new Set([0]));
  expect(slow.attempts() / calls).toBeLessThanOrEqual(1.2);
});
