import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../../_util/until.ts";
import { rawHttp } from "./raw-http.ts";
import { endHeaders, endStream, frame, frameTypes, headerBlock, RawHttp2 } from "./raw-http2.ts";
import { startWholeEdge, type WholeEdge } from "./whole-edge.ts";

const json = '{"title":"t"}';
const outerId = "0190a1b2-0000-7000-8000-000000000001";

let edge: WholeEdge;
let token = "";
beforeAll(async () => {
  edge = await startWholeEdge();
  token = edge.gateway.issuer.token({ sub: "user-1" });
  edge.gateway.handlers.set("task.v1.TaskService/GetTask", async ({ taskId }) => ({ task: { taskId } }));
  edge.gateway.handlers.set("task.v1.TaskService/CreateTask", async () => ({ task: { taskId: outerId } }));
});
afterAll(() => edge?.stop());

const idOf = (what: string) => createHash("sha256").update(what).digest("hex").slice(0, 12);
/** A whole request for a task that only this case knows. */
const innerOf = (what: string) =>
  `GET /v1/tasks/0190a1b2-0000-7000-8000-${idOf(what)} HTTP/1.1\r\nhost: edge\r\nauthorization: Bearer ${token}\r\n\r\n`;
const post = (lines: string[], body: string) =>
  [
    "POST /v1/tasks HTTP/1.1",
    "host: edge",
    `authorization: Bearer ${token}`,
    "content-type: application/json",
    ...lines,
    "",
    body,
  ].join("\r\n");
const smuggled = (what: string) =>
  edge.arrivals().filter(({ request }) => (request as unknown as { taskId?: string }).taskId?.endsWith(idOf(what)));

describe.concurrent("a request inside another does not come out of it", () => {
  const chunked = `${json.length.toString(16)}\r\n${json}\r\n0\r\n\r\n`;
  const both = (inner: string) => `0\r\n\r\n${inner}`;
  const cases: [string, (inner: string) => string][] = [
    [
      "a length and chunks",
      (inner) => post([`content-length: ${both(inner).length}`, "transfer-encoding: chunked"], both(inner)),
    ],
    ["chunks and a length", (inner) => post(["transfer-encoding: chunked", "content-length: 4"], both(inner))],
    ["two lengths", (inner) => post(["content-length: 0", `content-length: ${inner.length}`], inner)],
    ["two equal lengths in one line", (inner) => post(["content-length: 13, 13"], json + inner)],
    ["a list of lengths", (inner) => post([`content-length: 0, ${inner.length}`], inner)],
    ["a length with a sign", (inner) => post(["content-length: +13"], json + inner)],
    ["a length below zero", (inner) => post(["content-length: -1"], inner)],
    ["a hexadecimal length", (inner) => post(["content-length: 0xd"], json + inner)],
    ["a length with a space before the colon", (inner) => post([`content-length : ${inner.length}`], inner)],
    ["chunks with a space before the colon", (inner) => post(["transfer-encoding : chunked"], both(inner))],
    ["chunks with a tab", (inner) => post(["transfer-encoding:\tchunked", "content-length: 4"], both(inner))],
    ["chunks with a vertical tab", (inner) => post(["transfer-encoding: \x0bchunked"], both(inner))],
    ["an unknown encoding", (inner) => post(["transfer-encoding: xchunked"], both(inner))],
    ["chunked before the last encoding", (inner) => post(["transfer-encoding: chunked, identity"], both(inner))],
    [
      "two lines of encodings",
      (inner) => post(["transfer-encoding: identity", "transfer-encoding: chunked"], both(inner)),
    ],
    ["an encoding in quotes", (inner) => post(['transfer-encoding: "chunked"'], both(inner))],
    [
      "chunks by HTTP/1.0",
      (inner) => post(["transfer-encoding: chunked"], both(inner)).replace("HTTP/1.1", "HTTP/1.0"),
    ],
    [
      "a chunk of a size that overflows",
      (inner) => post(["transfer-encoding: chunked"], `10000000000000001\r\n${inner}`),
    ],
    ["a chunk of a size below zero", (inner) => post(["transfer-encoding: chunked"], `-1\r\n${inner}`)],
    ["a chunk that ends with a bare LF", (inner) => post(["transfer-encoding: chunked"], `1\n{\n0\n\n${inner}`)],
    [
      "trailers that say a length",
      () =>
        post(
          ["transfer-encoding: chunked", "connection: close"],
          chunked.replace(/\r\n$/, "content-length: 9\r\n\r\n"),
        ),
    ],
    [
      "a folded header",
      (inner) => post(["x-a: 1\r\n transfer-encoding: chunked", `content-length: ${both(inner).length}`], both(inner)),
    ],
    ["a header that begins with a space", (inner) => post([" transfer-encoding: chunked"], both(inner))],
    [
      "a bare CR in a header",
      (inner) => post(["x-a: 1\rtransfer-encoding: chunked", `content-length: ${both(inner).length}`], both(inner)),
    ],
    ["a NUL in a header", (inner) => post(["x-a: 1\0", "content-length: 13"], json + inner)],
    ["a request line with two versions", () => `GET /v1/me HTTP/1.1 HTTP/1.1\r\nhost: edge\r\n\r\n`],
    ["HTTP/0.9", () => "GET /v1/me\r\n\r\n"],
    ["HTTP/9.9", () => "GET /v1/me HTTP/9.9\r\nhost: edge\r\n\r\n"],
    ["no HTTP at all", () => `${"\x16\x03\x01".repeat(40)}\r\n\r\n`],
    [
      "a body on a GET that looks like a request",
      (inner) => `GET /nothing HTTP/1.1\r\nhost: edge\r\ncontent-length: 0, 5\r\n\r\n${inner}`,
    ],
    [
      "an upgrade that is none",
      () =>
        `GET /v1/me HTTP/1.1\r\nhost: edge\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n\r\n${"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}`,
    ],
    ["CONNECT", (inner) => `CONNECT 127.0.0.1:1 HTTP/1.1\r\nhost: 127.0.0.1:1\r\n\r\n${inner}`],
    [
      "TRACE",
      () => `TRACE /v1/me HTTP/1.1\r\nhost: edge\r\nauthorization: Bearer ${token}\r\nconnection: close\r\n\r\n`,
    ],
  ];

  test.each(cases)("%s", async (what, bytes) => {
    // The last request makes Envoy close a connection that the bytes before it have left in order.
    const last = "GET /nothing HTTP/1.1\r\nhost: edge\r\nconnection: close\r\n\r\n";
    const { text } = await rawHttp(edge.port, bytes(innerOf(what)) + last);
    expect(smuggled(what)).toEqual([]);
    expect(text).not.toContain(idOf(what));
    // 501 is the answer to an encoding that nobody knows (RFC 9112, section 6.1).
    expect(text).not.toMatch(/^HTTP\/1\.1 5(?!01)/);
  });
});

describe("where a request says that it is going", () => {
  const me = (target: string, lines: string[]) =>
    rawHttp(edge.port, [`GET ${target} HTTP/1.1`, ...lines, "connection: close", "", ""].join("\r\n"));

  test.each([
    ["no host", "/health/live", []],
    ["two hosts", "/health/live", ["host: edge", "host: evil.example"]],
    ["a host with a path", "/health/live", ["host: edge/../admin"]],
    ["a host with a user", "/health/live", ["host: admin@edge"]],
    ["a host with a space", "/health/live", ["host: edge evil.example"]],
  ])("%s is refused", async (_what, target, lines) => {
    expect((await me(target, lines)).status).toBe(400);
  });

  test("the host decides nothing", async () => {
    for (const host of ["evil.example", "127.0.0.1:9901", "[::1]:9901", "localhost", "gateway_http", "task:9000"]) {
      const { status, text } = await me("/health/live", [`host: ${host}`]);
      expect(status).toBe(200);
      expect(text).toContain('{"status":"live"}');
    }
  });

  test("an absolute target is its path, and its host decides nothing either", async () => {
    const { status, text } = await me("http://127.0.0.1:9901/config_dump", ["host: edge"]);
    expect(status).toBe(404);
    expect(text).not.toContain("bootstrap");
    expect((await me("http://evil.example/health/live", ["host: edge"])).status).toBe(200);
  });
});

describe.concurrent("over HTTP/2", () => {
  const base = [
    [":method", "GET"],
    [":scheme", "http"],
    [":authority", "edge"],
    [":path", "/v1/me"],
  ] as const;
  const replace = (name: string, ...values: string[]) => [
    ...base.filter(([key]) => key !== name),
    ...values.map((value) => [name, value] as const),
  ];
  const bearer = () => ["authorization", `Bearer ${token}`] as const;

  const games: [string, (inner: string) => (readonly [string, string])[]][] = [
    ["two paths", () => [...replace(":path", "/v1/me", `/v1/tasks/${idOf("h2")}`), bearer()]],
    ["no path", () => [...replace(":path"), bearer()]],
    ["an empty path", () => [...replace(":path", ""), bearer()]],
    ["a path with a line break", (inner) => [...replace(":path", `/v1/me HTTP/1.1\r\n\r\n${inner}`), bearer()]],
    ["a path with a space", () => [...replace(":path", `/v1/me /v1/tasks/${idOf("h2")}`), bearer()]],
    ["two methods", () => [...replace(":method", "GET", "POST"), bearer()]],
    [
      "a method with a line break",
      () => [...replace(":method", `GET /v1/tasks/${idOf("h2")} HTTP/1.1\r\nx: `), bearer()],
    ],
    ["an unknown pseudo-header", () => [...base, [":user", "admin"], bearer()]],
    ["a pseudo-header of an answer", () => [...base, [":status", "200"], bearer()]],
    ["a pseudo-header after the others", () => [...base, bearer(), [":path", `/v1/tasks/${idOf("h2")}`]]],
    ["a scheme that is none", () => [...replace(":scheme", "http\r\nx: 1"), bearer()]],
    ["a line break in a value", (inner) => [...base, bearer(), ["x-a", `1\r\n\r\n${inner}`]]],
    ["a line break in a name", () => [...base, bearer(), ["x-a: 1\r\nx-b", "1"]]],
    ["a NUL in a value", () => [...base, bearer(), ["x-a", "1\0"]]],
    ["a colon in a name", () => [...base, bearer(), ["x-a:b", "1"]]],
    ["a name in capitals", () => [...base, bearer(), ["X-Mesh-Identity", "forged"]]],
    ["connection headers", () => [...base, bearer(), ["connection", "x-mesh-identity"]]],
    ["transfer-encoding", () => [...base, bearer(), ["transfer-encoding", "chunked"]]],
    ["an upgrade", () => [...base, bearer(), ["upgrade", "h2c"]]],
    ["te that is not trailers", () => [...base, bearer(), ["te", "gzip"]]],
    ["a host that is not the authority", () => [...base, ["host", "evil.example"], bearer()]],
    ["a length of a body that is not there", () => [...base, ["content-length", "44"], bearer()]],
    ["CONNECT with a protocol", () => [...replace(":method", "CONNECT"), [":protocol", "websocket"], bearer()]],
  ];

  test.each(games)("%s: refused, or the call that it was", async (what, fields) => {
    const h2 = new RawHttp2(edge.port);
    h2.request(1, fields(innerOf(what)));
    await until("the stream to be over", async () => h2.isOver(1));
    h2.close();
    expect(edge.arrivals().map(({ call }) => call.header("x-mesh-identity"))).not.toContain("forged");
    expect(smuggled(what)).toEqual([]);
    for (const { method, call } of edge.arrivals()) {
      expect(["user.v1.UserService/GetMe", "task.v1.TaskService/CreateTask"]).toContain(method);
      expect(call.caller).toMatchObject({ kind: "user", userId: "user-1", via: "gateway" });
    }
  });

  test("a body longer than its length is cut off before a service hears of it", async () => {
    const h2 = new RawHttp2(edge.port);
    const fields = [...replace(":method", "POST").filter(([key]) => key !== ":path"), [":path", "/v1/tasks"] as const];
    const head = [
      ...fields,
      ["content-type", "application/json"] as const,
      ["content-length", "20"] as const,
      bearer(),
    ];
    h2.socket.write(frame(frameTypes.headers, endHeaders, 1, headerBlock(head)));
    h2.socket.write(frame(frameTypes.data, endStream, 1, Buffer.from(`{"title":"too long"}${innerOf("too long")}`)));
    await until("the stream to be over", async () => h2.isOver(1));
    h2.close();
    const titles = edge
      .arrivals()
      .map(({ request }) => (request as unknown as { task?: { title: string } }).task?.title);
    expect(titles).not.toContain("too long");
    expect(smuggled("too long")).toEqual([]);
  });
});
