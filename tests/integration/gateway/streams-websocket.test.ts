import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { WebSocket as Client } from "ws";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { internal, invalidArgument, unauthenticated } from "#kit/errors.ts";
import { type Edge, startEdge } from "./edge.ts";
import { watchName, watchPath } from "./stream-clients.ts";

const friend = "https://tasks.example";
const message = { cursor: "c1", unreadCount: 1, revision: 7n };

let edge: Edge;
let token: string;

beforeAll(async () => {
  edge = await startEdge({ cors: { origins: [friend] } });
  token = edge.issuer.token();
});
afterAll(() => edge.close());
/** The calls that reached the service; the gateway's own are not counted. */
const watches = () => edge.arrivals.filter(({ method }) => method === watchName);
beforeEach(() => {
  edge.arrivals.length = 0;
  edge.handlers.set(watchName, async function* () {
    yield message;
  });
});

const address = (path = watchPath) => `${edge.url.replace("http", "ws")}${path}`;

/** What a browser's own WebSocket hears: it can name subprotocols and nothing else. */
async function asBrowser(protocols: string[], path?: string) {
  const socket = new WebSocket(address(path), protocols);
  const frames: unknown[] = [];
  socket.addEventListener("message", ({ data }) => frames.push(JSON.parse(String(data))));
  const [event] = (await once(socket, "close")) as [CloseEvent];
  return { frames, code: event.code, reason: event.reason, protocol: socket.protocol };
}

/** A handshake that is refused: the answer of HTTP. */
async function refusal(headers: Record<string, string>, path?: string) {
  const socket = new Client(address(path), { headers });
  const [request, response] = await once(socket, "unexpected-response");
  let body = "";
  for await (const chunk of response) body += chunk;
  request.destroy();
  return { status: response.statusCode, type: response.headers["content-type"], body: JSON.parse(body) };
}

describe("a WebSocket", () => {
  test("of a browser brings its token as a subprotocol, which no answer repeats", async () => {
    const heard = await asBrowser(["taskmesh.v1", `bearer.${token}`], "/v1/live");
    expect(heard).toEqual({
      frames: [{ result: { cursor: "c1", unreadCount: 1, revision: "7" } }],
      code: 1000,
      reason: "",
      protocol: "taskmesh.v1",
    });
  });

  test.each([
    ["an expired token", unauthenticated(ErrorReason.TOKEN_EXPIRED, "expired"), 4401, "TOKEN_EXPIRED"],
    ["a bad request", invalidArgument("cursor", "not one of ours"), 4400, "INVALID_FIELD"],
    ["a fault of ours", internal(new Error("secret")), 1011, "INTERNAL"],
  ])("tells of %s by its last frame, and by the code that it closes with", async (_what, error, code, reason) => {
    // biome-ignore lint/correctness/useYield: the stream fails before it has anything to say
    edge.handlers.set(watchName, async function* () {
      throw error;
    });
    const heard = await asBrowser(["taskmesh.v1", `bearer.${token}`]);
    expect(heard).toMatchObject({ frames: [{ error: { reason } }], code, reason });
  });

  test("tells a browser of a missing token by a frame, and others by the answer to the handshake", async () => {
    expect(await asBrowser(["taskmesh.v1"])).toMatchObject({
      frames: [{ error: { code: "UNAUTHENTICATED", status: 401 } }],
      code: 4401,
    });
    expect(await refusal({})).toMatchObject({ status: 401, body: { code: "UNAUTHENTICATED" } });
    expect(watches()).toEqual([]);
  });

  test.each([
    [friend, true],
    ["same", true],
    ["https://evil.example", false],
    ["null", false],
    [`${friend}.evil.example`, false],
  ])("from the origin %s may be opened: %s", async (given, isAllowed) => {
    const origin = given === "same" ? edge.url : given;
    const headers = { origin, authorization: `Bearer ${token}` };
    if (!isAllowed) {
      expect(await refusal(headers)).toMatchObject({ status: 403, body: { reason: "PERMISSION_DENIED" } });
      return;
    }
    const socket = new Client(address(), { headers });
    const [code] = await once(socket, "close");
    expect(code).toBe(1000);
  });

  test("is refused where there is no stream, with a problem document", async () => {
    const headers = { authorization: `Bearer ${token}` };
    const type = "application/problem+json; charset=utf-8";
    expect(await refusal(headers, "/v1/tasks")).toMatchObject({ status: 400, type });
    expect(await refusal(headers, "/v1/nothing")).toMatchObject({ status: 404, type });
    expect(await refusal(headers, `${watchPath}?colour=red`)).toMatchObject({
      status: 400,
      body: { fieldViolations: [{ field: "colour" }] },
    });
    expect(watches()).toEqual([]);
  });

  test.each([
    ["another version", "sec-websocket-version: 8\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n", 426],
    ["no key", "sec-websocket-version: 13\r\n", 400],
    ["a key that is none", "sec-websocket-version: 13\r\nsec-websocket-key: short\r\n", 400],
  ])("with %s is refused", async (_what, lines, status) => {
    const { hostname, port } = new URL(edge.url);
    const socket = connect(Number(port), hostname);
    socket.write(
      `GET ${watchPath} HTTP/1.1\r\nhost: ${hostname}\r\nconnection: upgrade\r\nupgrade: websocket\r\nauthorization: Bearer ${token}\r\n${lines}\r\n`,
    );
    let text = "";
    for await (const chunk of socket) text += chunk;
    expect(text).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(text).toContain("application/problem+json");
  });

  test("whose client goes before it is open calls nothing and holds nothing up", async () => {
    const verified = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    const slow = await startEdge();
    try {
      slow.handlers.set("auth.v1.AuthService/GetJwks", async () => {
        asked.resolve();
        await verified.promise;
        return { keys: [...slow.issuer.jwks.keys] };
      });
      const { hostname, port } = new URL(slow.url);
      const socket = connect(Number(port), hostname);
      socket.write(
        `GET ${watchPath} HTTP/1.1\r\nhost: ${hostname}\r\nconnection: upgrade\r\nupgrade: websocket\r\nauthorization: Bearer ${slow.issuer.token()}\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
      );
      await asked.promise;
      socket.destroy();
      await once(socket, "close");
      verified.resolve();
      await fetch(`${slow.url}/v1/notifications:unreadCount`, {
        headers: { authorization: `Bearer ${slow.issuer.token()}` },
      });
      expect(slow.arrivals.filter(({ method }) => method === watchName)).toEqual([]);
    } finally {
      verified.resolve();
      await slow.close();
    }
  });

  test("that sends something is closed: nothing is asked of it", async () => {
    let closed = Promise.withResolvers<void>();
    edge.handlers.set(watchName, async function* (_request: unknown, { signal }: { signal: AbortSignal }) {
      signal.addEventListener("abort", () => closed.resolve());
      yield message;
      await closed.promise;
    });
    for (const [sent, code] of [
      ["hello", 1008],
      ["x".repeat(5000), 1009],
    ] as const) {
      closed = Promise.withResolvers();
      const socket = new Client(address(), { headers: { authorization: `Bearer ${token}` } });
      socket.on("message", () => socket.send(sent));
      expect((await once(socket, "close"))[0]).toBe(code);
      await closed.promise;
    }
  });
});
