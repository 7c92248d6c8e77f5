import { connect } from "node:net";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { until } from "../../_util/until.ts";
import { http } from "./client.ts";
import { openSocket, rawHttp } from "./raw-http.ts";
import { endHeaders, endStream, frame, frameTypes, headerBlock, RawHttp2 } from "./raw-http2.ts";
import { startWholeEdge, type WholeEdge } from "./whole-edge.ts";

const mebibyte = 1024 * 1024;
const taskId = "0190a1b2-0000-7000-8000-000000000001";
const json = { "content-type": "application/json" };

let edge: WholeEdge;
let bearer: Record<string, string>;
let before = 0;
const sockets: { destroy(): unknown }[] = [];
beforeAll(async () => {
  edge = await startWholeEdge();
  bearer = { authorization: `Bearer ${edge.gateway.issuer.token()}` };
  edge.gateway.handlers.set("task.v1.TaskService/GetTask", async () => ({ task: { taskId } }));
  edge.gateway.handlers.set("task.v1.TaskService/CreateTask", async () => ({ task: { taskId } }));
  await othersAreServed();
});
afterAll(() => edge?.stop());
beforeEach(async () => {
  before = await edge.envoy.memory();
  edge.gateway.arrivals.length = 0;
});
afterEach(async () => {
  // Whatever was done, the others go on and Envoy has not grown.
  await othersAreServed();
  expect((await edge.envoy.memory()) - before).toBeLessThan(64 * mebibyte);
  for (const socket of sockets.splice(0)) socket.destroy();
});

async function othersAreServed(): Promise<void> {
  const { status, body } = await http(edge.port, `/v1/tasks/${taskId}`, { headers: bearer });
  expect(status).toBe(200);
  expect(body).toContain(taskId);
}

const fields = (path = `/v1/tasks/${taskId}`) =>
  [
    [":method", "GET"],
    [":scheme", "http"],
    [":authority", "edge"],
    [":path", path],
    ["authorization", bearer.authorization as string],
  ] as const;

function http2(): RawHttp2 {
  const h2 = new RawHttp2(edge.port);
  sockets.push(h2.socket);
  return h2;
}

/** Writes until everything is out or the other side has had enough; answers with the bytes that it took. */
async function pour(h2: RawHttp2, chunk: (index: number) => Buffer, count: number): Promise<number> {
  for (let index = 0; index < count && !h2.socket.destroyed && h2.socket.writable; index++) {
    const room = h2.socket.write(chunk(index));
    if (!room) await Promise.race([new Promise((resolve) => h2.socket.once("drain", resolve)), h2.closed]);
  }
  return h2.socket.bytesWritten;
}

describe("slow senders", () => {
  test("300 that never finish their headers are cut off after ten seconds, and slow nobody down until then", async () => {
    const slow = await Promise.all(Array.from({ length: 300 }, () => openSocket(edge.port, "127.0.0.40")));
    sockets.push(...slow);
    const ended = Promise.all(
      slow.map((socket) => new Promise((resolve) => socket.on("error", resolve).once("close", resolve))),
    );
    for (const socket of slow) socket.resume().write("GET / HTTP/1.1\r\nhost: edge\r\nx-a: ");
    const drip = setInterval(() => {
      for (const socket of slow) if (!socket.destroyed) socket.write("a");
    }, 500);
    await Promise.all(Array.from({ length: 20 }, othersAreServed));
    await ended;
    clearInterval(drip);
  });
});

describe("floods of frames", () => {
  test("20,000 streams that are reset at once end the connection after some hundreds", async () => {
    const h2 = http2();
    const block = headerBlock(fields());
    await pour(
      h2,
      (index) => {
        const stream = index * 2 + 1;
        const reset = frame(frameTypes.rstStream, 0, stream, Buffer.from([0, 0, 0, 8]));
        return Buffer.concat([frame(frameTypes.headers, endStream | endHeaders, stream, block), reset]);
      },
      20_000,
    );
    await h2.closed;
    expect(edge.arrivals().length).toBeLessThan(1500);
  });

  test.each([
    [
      "CONTINUATION frames without end",
      () => frame(frameTypes.continuation, 0, 1, Buffer.from(headerBlock([["x-a", "a".repeat(1000)]]))),
    ],
    ["empty CONTINUATION frames", () => frame(frameTypes.continuation, 0, 1)],
  ])("%s end the connection", async (_what, next) => {
    const h2 = http2();
    h2.socket.write(frame(frameTypes.headers, endStream, 1, headerBlock(fields())));
    const taken = await pour(h2, next, 100_000);
    await h2.closed;
    expect(taken).toBeLessThan(20 * mebibyte);
    expect(edge.arrivals()).toEqual([]);
  });

  test.each([
    ["SETTINGS", () => frame(frameTypes.settings, 0, 0)],
    ["PING", () => frame(frameTypes.ping, 0, 0, Buffer.alloc(8))],
    ["PRIORITY", (index: number) => frame(2, 0, index * 2 + 1, Buffer.from([0, 0, 0, 0, 1]))],
    ["WINDOW_UPDATE", () => frame(8, 0, 0, Buffer.from([0, 0, 0, 1]))],
  ] as [string, (index: number) => Buffer][])("20,000 %s frames disturb nobody", async (_what, next) => {
    const h2 = http2();
    h2.socket.pause();
    await pour(h2, (index) => Buffer.concat(Array.from({ length: 10 }, (_, part) => next(index * 10 + part))), 2000);
    await othersAreServed();
  });

  test("empty DATA frames end the stream or the connection", async () => {
    const h2 = http2();
    const head = [[":method", "POST"], ...fields("/v1/tasks").slice(1), ["content-type", "application/json"]] as const;
    h2.socket.write(frame(frameTypes.headers, endHeaders, 1, headerBlock(head as never)));
    await pour(h2, () => frame(frameTypes.data, 0, 1), 20_000);
    await until("the end", () => h2.isOver(1));
  });
});

describe("headers that are bombs", () => {
  test("one name in the table of HPACK, repeated, is not unpacked without bound", async () => {
    const h2 = http2();
    const name = Buffer.from("x-bomb");
    const value = Buffer.alloc(3000, "a");
    // Literal with incremental indexing, then its index (62) thousands of times.
    const length = Buffer.from([0x7f, ...varint(value.length - 127)]);
    const entry = Buffer.concat([Buffer.from([0x40, name.length]), name, length, value]);
    const block = Buffer.concat([headerBlock(fields()), entry, Buffer.alloc(12_000, 0x80 | 62)]);
    h2.socket.write(frame(frameTypes.headers, endStream | endHeaders, 1, block));
    await until("the end", () => h2.isOver(1));
    expect(edge.arrivals()).toEqual([]);
  });

  test.each([
    ["200 headers", Array.from({ length: 200 }, (_, index) => `x-${index}: 1`)],
    ["a header of 100 KiB", [`x-a: ${"a".repeat(100_000)}`]],
    ["a path of 100 KiB", []],
  ])("%s are a 431", async (what, lines) => {
    const path = what.startsWith("a path") ? `/${"a".repeat(100_000)}` : "/";
    const { status } = await rawHttp(edge.port, [`GET ${path} HTTP/1.1`, "host: edge", ...lines, "", ""].join("\r\n"));
    expect(status).toBe(431);
  });
});

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest >>= 7) bytes.push((rest & 127) | 128);
  return [...bytes, rest];
}

describe("bodies", () => {
  test.each([
    ["of a length that is told", `content-length: ${100 * mebibyte}`, (chunk: Buffer) => chunk],
    [
      "in chunks",
      "transfer-encoding: chunked",
      (chunk: Buffer) => Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from("\r\n")]),
    ],
  ])("100 MiB %s are refused long before they are in", async (_what, line, wrap) => {
    const socket = connect({ host: "127.0.0.1", port: edge.port });
    sockets.push(socket);
    let answer = "";
    socket.on("data", (data) => {
      answer += data;
    });
    const closed = new Promise((resolve) => socket.on("error", () => {}).once("close", resolve));
    const head = [
      "POST /v1/tasks HTTP/1.1",
      "host: edge",
      `authorization: ${bearer.authorization}`,
      "content-type: application/json",
      line,
    ];
    socket.write(`${head.join("\r\n")}\r\n\r\n`);
    const chunk = wrap(Buffer.alloc(64 * 1024, " "));
    for (let sent = 0; sent < 1600 && !socket.destroyed && answer === ""; sent++) {
      if (!socket.write(chunk)) await Promise.race([new Promise((resolve) => socket.once("drain", resolve)), closed]);
    }
    await until("the answer", () => answer.includes("\r\n\r\n"));
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(socket.bytesWritten).toBeLessThan(20 * mebibyte);
    expect(edge.arrivals()).toEqual([]);
  });

  test("a gzip bomb is not unpacked", async () => {
    // Packed beside this thread, on which the gateway runs as well.
    const body = await promisify(gzip)(Buffer.alloc(100 * mebibyte, " "));
    const { status } = await rawHttp(
      edge.port,
      Buffer.concat([
        Buffer.from(
          [
            "POST /v1/tasks HTTP/1.1",
            "host: edge",
            `authorization: ${bearer.authorization}`,
            "content-type: application/json",
            "content-encoding: gzip",
            `content-length: ${body.length}`,
            "connection: close",
            "\r\n",
          ].join("\r\n"),
        ),
        body,
      ]),
    );
    expect(status).toBe(413);
    expect(edge.arrivals()).toEqual([]);
  });

  test("a body that never comes holds nothing but its connection", async () => {
    const slow = await Promise.all(Array.from({ length: 200 }, () => openSocket(edge.port, "127.0.0.41")));
    sockets.push(...slow);
    for (const socket of slow) {
      socket.on("error", () => {});
      socket.write(
        `POST /v1/tasks HTTP/1.1\r\nhost: edge\r\nauthorization: ${bearer.authorization}\r\ncontent-type: ${json["content-type"]}\r\ncontent-length: 1000000\r\n\r\n{`,
      );
    }
    await Promise.all(Array.from({ length: 20 }, othersAreServed));
  });
});
