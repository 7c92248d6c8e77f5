import { once } from "node:events";
import {
  constants,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Code } from "../errors.ts";
import { statusOk } from "./call-end.ts";
import { frameOf, maxReceiveBytes } from "./message-frames.ts";
import { type Client, ours, reference } from "./testing-clients.ts";

type Answer = (stream: ServerHttp2Stream, received: Buffer, headers: IncomingHttpHeaders) => void;

let server: Http2Server;
let answer: Answer;
let client: Client;
const sessions = new Set<ServerHttp2Session>();
const opened: ServerHttp2Stream[] = [];

beforeAll(async () => {
  server = createServer({ settings: { initialWindowSize: 1024 * 1024 } });
  server.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
  });
  server.on("stream", async (stream: ServerHttp2Stream, headers) => {
    opened.push(stream);
    stream.on("error", () => {});
    const pieces: Buffer[] = [];
    stream.on("data", (piece: Buffer) => pieces.push(piece));
    stream.on("end", () => {
      if (!stream.destroyed) answer(stream, Buffer.concat(pieces).subarray(5), headers);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
beforeEach(() => {
  opened.length = 0;
});
afterAll(() => {
  for (const session of sessions) session.destroy();
  server.close();
});

const grpcHeaders = { ":status": 200, "content-type": "application/grpc+proto" };

/** Answers with these messages, then with the trailers. */
function respond(stream: ServerHttp2Stream, frames: Buffer[], trailers: Record<string, string | Buffer>, extra = {}) {
  stream.respond({ ...grpcHeaders, ...extra }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers(trailers as IncomingHttpHeaders));
  for (const frame of frames) stream.write(frame);
  stream.end();
}
const ok = { "grpc-status": "0" };

describe.each([
  ["our client", ours],
  ["grpc-js", reference],
])("%s", (name, make) => {
  const isOurs = name === "our client";
  beforeAll(() => {
    client = make((server.address() as AddressInfo).port);
  });
  afterAll(() => client.close());

  it("has an empty call answered", async () => {
    answer = (stream, received) => respond(stream, [frameOf(received)], ok);
    expect(await client.ask()).toMatchObject({ code: statusOk, messages: [Buffer.alloc(0)] });
  });

  it("brings large messages over whole, both ways", async () => {
    let got = 0;
    answer = (stream, received) => {
      got = received.length;
      respond(stream, [frameOf(Buffer.alloc(314_159, 7))], ok);
    };
    const { messages } = await client.ask({ message: Buffer.alloc(271_828) });
    expect(got).toBe(271_828);
    expect(messages).toHaveLength(1);
    expect(messages[0]?.equals(Buffer.alloc(314_159, 7))).toBe(true);
  });

  it("puts a message together that comes byte by byte, several in one piece too", async () => {
    const [one, two] = [Buffer.from("first"), Buffer.from("second")];
    answer = (stream) => {
      const all = Buffer.concat([frameOf(one), frameOf(two), frameOf(one)]);
      respond(stream, [...all.subarray(0, 20)].map((byte) => Buffer.from([byte])).concat(all.subarray(20)), ok);
    };
    expect((await client.ask()).messages).toEqual([one, two, one]);
  });

  it("reads a stream of messages in order, then the status", async () => {
    const sizes = [31_415, 9, 2_653, 58_979];
    answer = (stream) =>
      respond(
        stream,
        sizes.map((size) => frameOf(Buffer.alloc(size))),
        ok,
      );
    const { code, messages } = await client.ask();
    expect(code).toBe(statusOk);
    expect(messages.map(({ length }) => length)).toEqual(sizes);
  });

  it.each([
    ["test status message", "test status message"],
    [
      "%09%0Atest with whitespace%0D%0Aand Unicode BMP %E2%98%BA and non-BMP %F0%9F%98%88%09%0A",
      "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n",
    ],
    ["100% wrong", "100% wrong"],
  ])("reads the code and the text of a status (%j)", async (sent, read) => {
    answer = (stream) => respond(stream, [], { "grpc-status": "2", "grpc-message": sent });
    expect(await client.ask()).toMatchObject({ code: Code.UNKNOWN, details: read });
  });

  it("takes an answer that is headers only", async () => {
    answer = (stream) =>
      stream.respond({ ...grpcHeaders, "grpc-status": "12", "grpc-message": "no such method" }, { endStream: true });
    expect(await client.ask()).toMatchObject({ code: Code.UNIMPLEMENTED, details: "no such method" });
  });

  it("hands over headers and trailers, binary ones too", async () => {
    const bytes = Buffer.from([0xab, 0xab, 0xab]);
    const binary = { "x-echo-trailing-bin": bytes.toString("base64"), "x-text": "t" };
    answer = (stream) => respond(stream, [frameOf(bytes)], { ...ok, ...binary }, { "x-echo-initial": "head" });
    const { headers, trailers } = await client.ask();
    expect(headers).toMatchObject({ "x-echo-initial": "head" });
    expect(trailers["x-text"]).toBe("t");
    const trailing = trailers["x-echo-trailing-bin"];
    expect(isOurs ? Buffer.from(String(trailing), "base64") : trailing).toEqual(bytes);
  });

  it.each([
    [400, Code.INTERNAL],
    [401, Code.UNAUTHENTICATED],
    [403, Code.PERMISSION_DENIED],
    [404, Code.UNIMPLEMENTED],
    [429, Code.UNAVAILABLE],
    [500, Code.UNKNOWN],
    [502, Code.UNAVAILABLE],
    [503, Code.UNAVAILABLE],
    [504, Code.UNAVAILABLE],
  ])("makes of HTTP status %i, with a page for people, code %i", async (status, code) => {
    answer = (stream) => {
      stream.respond({ ":status": status, "content-type": "text/html" });
      stream.end("<p>It did not work out.</p>");
    };
    expect((await client.ask()).code).toBe(code);
  });

  it("makes INTERNAL of an answer that ends without a status", async () => {
    answer = (stream) => {
      stream.respond(grpcHeaders);
      stream.end(frameOf(Buffer.from("a")));
    };
    expect((await client.ask()).code).toBe(Code.INTERNAL);
  });

  it.each([
    ["INTERNAL_ERROR", constants.NGHTTP2_INTERNAL_ERROR, Code.INTERNAL],
    ["PROTOCOL_ERROR", constants.NGHTTP2_PROTOCOL_ERROR, Code.INTERNAL],
    ["CANCEL", constants.NGHTTP2_CANCEL, Code.CANCELLED],
    ["REFUSED_STREAM", constants.NGHTTP2_REFUSED_STREAM, Code.UNAVAILABLE],
    ["ENHANCE_YOUR_CALM", constants.NGHTTP2_ENHANCE_YOUR_CALM, Code.RESOURCE_EXHAUSTED],
    ["INADEQUATE_SECURITY", constants.NGHTTP2_INADEQUATE_SECURITY, Code.PERMISSION_DENIED],
  ])("makes of RST_STREAM with %s code %s", async (_name, reset, code) => {
    answer = (stream) => stream.close(reset);
    expect((await client.ask()).code).toBe(code);
  });

  it("sends a call again, once, that was refused unseen", async () => {
    let refusals = 1;
    answer = (stream) => {
      if (refusals-- > 0) stream.close(constants.NGHTTP2_REFUSED_STREAM);
      else respond(stream, [frameOf(Buffer.from("second"))], ok);
    };
    expect(await client.ask()).toMatchObject({ code: statusOk, messages: [Buffer.from("second")] });
    expect(opened).toHaveLength(2);
    refusals = 2;
    expect((await client.ask()).code).toBe(Code.UNAVAILABLE);
    expect(opened).toHaveLength(4);
  });

  it("never sends a call again of which it has seen headers", async () => {
    answer = (stream) => {
      stream.respond(grpcHeaders);
      stream.write(frameOf(Buffer.from("a")), () => stream.close(constants.NGHTTP2_REFUSED_STREAM));
    };
    expect((await client.ask()).code).toBe(Code.UNAVAILABLE);
    expect(opened).toHaveLength(1);
  });

  it("makes UNAVAILABLE of a connection that is cut, and connects anew", async () => {
    answer = (stream) => stream.session?.destroy();
    expect((await client.ask()).code).toBe(Code.UNAVAILABLE);
    answer = (stream) => respond(stream, [frameOf(Buffer.from("anew"))], ok);
    expect(await client.ask()).toMatchObject({ code: statusOk, messages: [Buffer.from("anew")] });
  });

  it("finishes a call under way when the other side says GOAWAY, and makes the next elsewhere", async () => {
    answer = (stream) => {
      const { session } = stream;
      session?.goaway(constants.NGHTTP2_NO_ERROR);
      setTimeout(() => respond(stream, [frameOf(Buffer.from("under way"))], ok), 20);
    };
    expect(await client.ask()).toMatchObject({ code: statusOk, messages: [Buffer.from("under way")] });
    const left = opened[0]?.session;
    answer = (stream) => respond(stream, [frameOf(Buffer.from("elsewhere"))], ok);
    const outcomes = await Promise.all([client.ask(), client.ask(), client.ask()]);
    for (const outcome of outcomes) expect(outcome.code).toBe(statusOk);
    expect(opened.slice(1).some(({ session }) => session !== undefined && session === left)).toBe(false);
  });

  it("gives up at the deadline, which it has told, and says so to the other side", async () => {
    const reset = Promise.withResolvers<number>();
    let timeout = "";
    answer = (stream, _received, headers) => {
      timeout = String(headers["grpc-timeout"]);
      stream.on("close", () => reset.resolve(stream.rstCode));
    };
    expect((await client.ask({ timeoutMs: 80 })).code).toBe(Code.DEADLINE_EXCEEDED);
    const [, amount, unit] = /^(\d{1,8})([mun])$/.exec(timeout) ?? [];
    expect(Number(amount) * { m: 1, u: 1e-3, n: 1e-6 }[unit as "m"]).toBeLessThanOrEqual(80);
    expect(await reset.promise).toBe(constants.NGHTTP2_CANCEL);
  });

  it("makes no call when the deadline has passed already", async () => {
    answer = (stream) => respond(stream, [frameOf(Buffer.alloc(0))], ok);
    expect((await client.ask({ timeoutMs: -1 })).code).toBe(Code.DEADLINE_EXCEEDED);
    expect(opened).toHaveLength(0);
  });

  it("cancels before the answer, and after its first message", async () => {
    for (const first of [[], [frameOf(Buffer.from("first"))]]) {
      const reset = Promise.withResolvers<number>();
      let cancel = () => {};
      answer = (stream) => {
        stream.on("close", () => reset.resolve(stream.rstCode));
        if (first.length > 0) stream.respond(grpcHeaders);
        for (const frame of first) stream.write(frame);
        setTimeout(() => cancel(), 20);
      };
      const outcome = await client.ask({
        onCall: (give) => {
          cancel = give;
        },
      });
      expect(outcome.code).toBe(Code.CANCELLED);
      expect(await reset.promise).toBe(constants.NGHTTP2_CANCEL);
    }
  });

  it("cancels a call at once, before it is on the wire", async () => {
    answer = (stream) => respond(stream, [frameOf(Buffer.alloc(0))], ok);
    expect((await client.ask({ onCall: (cancel) => cancel() })).code).toBe(Code.CANCELLED);
  });

  it("refuses a message that is too large by its length, without waiting for it", async () => {
    answer = (stream) => {
      const prefix = frameOf(Buffer.alloc(0));
      prefix.writeUInt32BE(maxReceiveBytes + 1, 1);
      stream.respond(grpcHeaders);
      stream.write(prefix);
    };
    const { code, details } = await client.ask();
    expect(code).toBe(Code.RESOURCE_EXHAUSTED);
    expect(details).toMatch(/larger than/);
  });

  it("runs many calls at a time over its connections", async () => {
    answer = (stream, received) => respond(stream, [frameOf(received)], ok);
    const wanted = Array.from({ length: 500 }, (_, index) => Buffer.from(String(index)));
    const outcomes = await Promise.all(wanted.map((message) => client.ask({ message })));
    expect(outcomes.map(({ messages }) => String(messages[0]))).toEqual(wanted.map(String));
  });

  it("fails what is under way, and what comes later, once it is closed", async () => {
    const other = make((server.address() as AddressInfo).port);
    const reached = Promise.withResolvers<void>();
    answer = () => reached.resolve();
    const pending = other.ask({ timeoutMs: isOurs ? 5_000 : 300 });
    await reached.promise;
    other.close();
    // grpc-js lets it run on until its deadline.
    expect((await pending).code).toBe(isOurs ? Code.UNAVAILABLE : Code.DEADLINE_EXCEEDED);
    if (isOurs) expect((await other.ask()).code).toBe(Code.UNAVAILABLE);
  });
});

describe("our client alone", () => {
  it("takes no message that is compressed without having been asked", async () => {
    const own = ours((server.address() as AddressInfo).port);
    answer = (stream) => {
      const frame = frameOf(Buffer.from("a"));
      frame[0] = 1;
      respond(stream, [frame], ok);
    };
    expect((await own.ask()).code).toBe(Code.INTERNAL);
    own.close();
  });

  it("sends again what a connection that broke down has not looked at, and only that", async () => {
    const own = ours((server.address() as AddressInfo).port);
    let broken = 0;
    answer = (stream) => {
      if (opened.length > 6) return respond(stream, [frameOf(Buffer.from("again"))], ok);
      if (opened.length < 6) return;
      const bySession = Map.groupBy([...opened], ({ session }) => session);
      broken = bySession.size;
      for (const [session, [first]] of bySession) session?.goaway(constants.NGHTTP2_INTERNAL_ERROR, first?.id);
    };
    const outcomes = await Promise.all(Array.from({ length: 6 }, () => own.ask()));
    // One of each connection has been looked at.
    const lost = outcomes.filter(({ code }) => code === Code.UNAVAILABLE);
    expect(lost).toHaveLength(broken);
    expect(outcomes.filter(({ code }) => code === statusOk)).toHaveLength(6 - broken);
    expect(opened).toHaveLength(6 + 6 - broken);
    own.close();
  });

  it("does not take half a message for a whole one", async () => {
    const own = ours((server.address() as AddressInfo).port);
    answer = (stream) => respond(stream, [frameOf(Buffer.from("whole")).subarray(0, -1)], ok);
    expect(await own.ask()).toMatchObject({ code: Code.INTERNAL, messages: [] });
    own.close();
  });
});
