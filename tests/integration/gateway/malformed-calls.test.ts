import { create, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { WatchNotificationsRequestSchema } from "#gen/notification/v1/notification_service_pb.js";
import { CreateTaskRequestSchema, GetTaskRequestSchema } from "#gen/task/v1/task_service_pb.js";
import { type Edge, startEdge } from "./edge.ts";
import { frame, framesOf, send, type Wire, type WireAnswer, type WireRequest, webTrailers } from "./wire-client.ts";

const taskId = "0190a1b2-0000-7000-8000-000000000001";
const createPath = "/task.v1.TaskService/CreateTask";
const getPath = "/task.v1.TaskService/GetTask";
const watchPath = "/notification.v1.NotificationService/WatchNotifications";
const good = Buffer.from(toBinary(CreateTaskRequestSchema, create(CreateTaskRequestSchema, { task: { title: "a" } })));
const goodWatch = Buffer.from(toBinary(WatchNotificationsRequestSchema, create(WatchNotificationsRequestSchema)));
const noMessage = "the request is no message of its type";

let edge: Edge;
let authorization: string;

beforeAll(async () => {
  edge = await startEdge();
  authorization = `Bearer ${edge.issuer.token()}`;
  edge.handlers.set("task.v1.TaskService/CreateTask", async ({ task }) => ({ task }));
  edge.handlers.set("task.v1.TaskService/GetTask", async () => ({ task: { taskId, title: "a" } }));
  edge.handlers.set("notification.v1.NotificationService/WatchNotifications", async function* () {
    yield { cursor: "c" };
  });
});
afterAll(() => edge.close());
beforeEach(() => {
  edge.arrivals.length = 0;
});

const http1 = (): Wire => ({ url: edge.url, http: 1 });
const http2 = (): Wire => ({ url: edge.grpcUrl, http: 2 });

interface Outcome {
  /** Of gRPC; "0" when it went well. */
  code: string;
  message: string;
}

const connectCodes: Record<string, string> = { invalid_argument: "3", resource_exhausted: "8", unimplemented: "12" };

/** What became of a call, by whatever protocol it was made. */
function outcomeOf(answer: WireAnswer): Outcome {
  const { headers, trailers, body } = answer;
  const type = String(headers["content-type"]);
  if (type.startsWith("application/grpc")) {
    const end = { ...headers, ...trailers, ...(type.includes("web") ? webTrailers(framesOf(body)) : {}) };
    return { code: String(end["grpc-status"]), message: decodeURIComponent(String(end["grpc-message"] ?? "")) };
  }
  if (type.startsWith("application/connect+")) {
    const end = framesOf(body).find(({ flags }) => (flags & 2) !== 0);
    return ofConnect(JSON.parse(String(end?.bytes)).error);
  }
  if (answer.status === 200) return { code: "0", message: "" };
  return ofConnect(JSON.parse(String(body)));
}

function ofConnect(error: { code: string; message?: string } | undefined): Outcome {
  return { code: error ? (connectCodes[error.code] ?? error.code) : "0", message: error?.message ?? "" };
}

interface Way {
  wire: () => Wire;
  path: string;
  type: string;
  isFramed: boolean;
  timeout: string;
}

const unary = { path: createPath, timeout: "connect-timeout-ms", isFramed: false };
const grpc = { path: createPath, timeout: "grpc-timeout", isFramed: true };
const ways: Record<string, Way> = {
  Connect: { ...unary, wire: http1, type: "application/proto" },
  "Connect over HTTP/2": { ...unary, wire: http2, type: "application/proto" },
  "a Connect stream": { ...unary, wire: http1, path: watchPath, type: "application/connect+proto", isFramed: true },
  "gRPC-Web": { ...grpc, wire: http1, type: "application/grpc-web+proto" },
  "gRPC-Web over HTTP/2": { ...grpc, wire: http2, type: "application/grpc-web" },
  gRPC: { ...grpc, wire: http2, type: "application/grpc" },
  "a gRPC stream": { ...grpc, wire: http2, path: watchPath, type: "application/grpc+proto" },
};
const everyWay = Object.entries(ways);
const framedWays = everyWay.filter(([, { isFramed }]) => isFramed);

async function call(way: Way, body: Buffer | undefined, headers: Record<string, string> = {}): Promise<Outcome> {
  const request: WireRequest = {
    path: way.path,
    headers: { authorization, "content-type": way.type, te: "trailers", ...headers },
    body,
  };
  return outcomeOf(await send(way.wire(), request));
}

const wrapped = (way: Way, message: Buffer) => (way.isFramed ? frame(message) : message);
const messageOf = (way: Way) => (way.path === watchPath ? goodWatch : good);

const brokenMessages: [string, Buffer][] = [
  ["no field", Buffer.from([0xff, 0xff, 0xff])],
  ["field number 0", Buffer.from([0x00, 0x01])],
  ["a wire type that there is not", Buffer.from([0x0e])],
  ["a text that ends too early", Buffer.from([0x0a, 0x05, 0x61])],
  ["a length of 2 GiB", Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x07])],
  ["a length of 11 bytes", Buffer.from([0x0a, ...Array<number>(10).fill(0x80), 0x00])],
  ["a group without its end", Buffer.from([0x0b])],
  ["an end of a group without its begin", Buffer.from([0x0c])],
  ["half a million groups", Buffer.alloc(500_000, 0x0b)],
  // Field 1 of WatchNotificationsRequest is a text, and so is the first one of a task.
  ["bytes that are no UTF-8", Buffer.from([0x0a, 0x02, 0xc3, 0x28])],
];

describe.each(everyWay)("%s", (_name, way) => {
  test("takes what is well formed", async () => {
    expect(await call(way, wrapped(way, messageOf(way)))).toEqual({ code: "0", message: "" });
  });

  test.each(brokenMessages)("refuses %s", async (_what, message) => {
    expect(await call(way, wrapped(way, message))).toEqual({ code: "3", message: noMessage });
    expect(edge.arrivals.filter(({ method }) => !method.startsWith("auth."))).toEqual([]);
  });

  test("refuses more than the limit", async () => {
    const large = Buffer.alloc(1024 * 1024 + 1);
    expect(await call(way, wrapped(way, large))).toEqual({
      code: "8",
      message: "the body is larger than 1048576 bytes",
    });
  });

  test.each(["soon", "", "-1", "1e9", "12345678901"])("refuses the timeout %j", async (value) => {
    const outcome = await call(way, wrapped(way, messageOf(way)), { [way.timeout]: value });
    expect(outcome).toMatchObject({ code: "3", message: expect.stringContaining(way.timeout) });
  });

  test("refuses a caller without a token before it reads what the caller sends", async () => {
    const outcome = await call(way, wrapped(way, Buffer.from([0xff])), { authorization: "" });
    expect(["16", "unauthenticated"]).toContain(outcome.code);
  });
});

describe.each(framedWays)("the frames of %s", (_name, way) => {
  const one = frame(messageOf(way));

  test.each([
    ["none", undefined, "12", "the call takes exactly one message"],
    ["no bytes", Buffer.alloc(0), "12", "the call takes exactly one message"],
    ["two", Buffer.concat([one, one]), "12", "the call takes exactly one message"],
    ["three bytes of one", one.subarray(0, 3), "3", "the body is no well-formed frame"],
    ["all but the end of one", frame(Buffer.alloc(9)).subarray(0, 10), "3", "the frame of the message ends too early"],
    ["one and more", Buffer.concat([one, Buffer.from([0])]), "3", "bytes follow the frame"],
    ["one of 4 GiB", Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 1]), "8", "the body is larger than 1048576 bytes"],
    ["one with the flags of an end", frame(messageOf(way), 2), "3", "the body is no well-formed frame"],
    ["one with the flags of trailers", frame(messageOf(way), 0x80), "3", "the body is no well-formed frame"],
    [
      "one marked as compressed",
      frame(messageOf(way), 1),
      "3",
      "the message is marked as compressed, and no compression is named",
    ],
  ])("%s", async (_what, body, code, message) => {
    expect(await call(way, body)).toEqual({ code, message });
  });
});

describe("the version of Connect", () => {
  test.each(["2", "v1", "", "1.0"])("%j is refused", async (version) => {
    for (const way of [ways.Connect, ways["a Connect stream"]] as Way[]) {
      const outcome = await call(way, wrapped(way, messageOf(way)), { "connect-protocol-version": version });
      expect(outcome).toEqual({ code: "3", message: "the version of the Connect protocol must be 1" });
    }
  });

  test("1 is taken, and gRPC has none", async () => {
    for (const way of [ways.Connect, ways["a Connect stream"]] as Way[]) {
      const outcome = await call(way, wrapped(way, messageOf(way)), { "connect-protocol-version": "1" });
      expect(outcome.code).toBe("0");
    }
    expect(await call(ways.gRPC as Way, frame(good), { "connect-protocol-version": "9" })).toMatchObject({ code: "0" });
  });
});

describe("Connect by GET", () => {
  const json = encodeURIComponent(JSON.stringify({ taskId }));
  const ask = (query: string, method = "GET", headers = {}) =>
    send(http1(), { method, path: `${getPath}?${query}`, headers: { authorization, ...headers } });
  const packed = Buffer.from(toBinary(GetTaskRequestSchema, create(GetTaskRequestSchema, { taskId })));

  test.each([
    [`encoding=json&message=${json}`],
    [`connect=v1&encoding=json&message=${json}&base64=0`],
    [`encoding=json&base64=1&message=${Buffer.from(JSON.stringify({ taskId })).toString("base64url")}`],
    [`encoding=proto&base64=1&message=${packed.toString("base64url")}`],
    [`encoding=proto&base64=1&message=${encodeURIComponent(packed.toString("base64"))}&compression=identity&_=7`],
  ])("takes %s", async (query) => {
    const { status, headers } = await ask(query);
    expect([status, headers["content-type"]]).toEqual([
      200,
      query.includes("proto&") ? "application/proto" : "application/json",
    ]);
  });

  test.each([
    ["", "encoding must be json or proto"],
    ["encoding=xml&message=%7B%7D", "encoding must be json or proto"],
    ["encoding=json", "the query lacks its message"],
    [`connect=v2&encoding=json&message=${json}`, "the version of the Connect protocol must be v1"],
    [`encoding=json&message=${json}&message=${json}`, "the query has message more than once"],
    ["encoding=json&message=%7B", "the JSON ends too early (line 1, column 2)"],
    ["encoding=json&message=%ff", "message: must be percent-encoded UTF-8"],
    ["encoding=proto&base64=1&message=a", "the message is not base64"],
    ["encoding=proto&base64=1&message=%25%25%25%25", "the message is not base64"],
    ["encoding=proto&base64=yes&message=AAAA", "the message is not base64"],
    ["encoding=proto&base64=1&message=____", noMessage],
    ["encoding=json&message=%7B%22taskId%22%3A7%7D", "task_id: must be a text"],
    ["encoding=json&message=%7B%22task%22%3A7%7D", "task: is not a known field"],
  ])("refuses %s", async (query, message) => {
    const answer = await ask(query);
    expect([answer.status, answer.headers["cache-control"]]).toEqual([400, "no-store"]);
    const { code, message: said } = JSON.parse(String(answer.body));
    expect(code).toBe("invalid_argument");
    expect(said).toContain(message);
  });

  test("refuses a timeout that is none, and what has side effects", async () => {
    const timed = await ask(`encoding=json&message=${json}`, "GET", { "connect-timeout-ms": "x" });
    expect(JSON.parse(String(timed.body)).code).toBe("invalid_argument");
    const write = await send(http1(), {
      method: "GET",
      path: `${createPath}?encoding=json&message=%7B%7D`,
      headers: { authorization },
    });
    expect([write.status, write.headers.allow]).toEqual([405, "POST"]);
  });

  test("HEAD is GET without the body", async () => {
    const [get, head] = [
      await ask(`encoding=json&message=${json}`),
      await ask(`encoding=json&message=${json}`, "HEAD"),
    ];
    expect([head.status, head.body.length, head.headers["content-length"]]).toEqual([200, 0, String(get.body.length)]);
  });
});

describe("what is no call", () => {
  test.each([
    [createPath, "DELETE", "application/proto", 405, "POST"],
    [createPath, "PUT", "application/json", 405, "POST"],
    [createPath, "GET", "", 405, "POST"],
    [getPath, "PATCH", "application/json", 405, "POST, GET, HEAD"],
    [createPath, "OPTIONS", "", 204, "POST"],
    [createPath, "POST", "image/jpeg", 415, undefined],
    [createPath, "POST", "application/json; charset=latin1", 415, undefined],
    [createPath, "POST", "application/connect+json", 415, undefined],
    [watchPath, "POST", "application/json", 415, undefined],
    [createPath, "POST", "application/grpc+thrift", 415, undefined],
    [createPath, "POST", "application/grpc-web-text", 415, undefined],
    ["/task.v1.TaskService/Nothing", "POST", "application/json", 404, undefined],
    [`/v1/tasks/${taskId}:nope`, "POST", "application/json", 404, undefined],
    [`/v1/tasks/${taskId}:complete`, "PUT", "application/json", 405, "POST"],
  ])("%s by %s as %s is %i", async (path, method, type, status, allow) => {
    const headers = { authorization, ...(type && { "content-type": type }) };
    const answer = await send(http1(), { method, path, headers, body: type ? "{}" : undefined });
    expect([answer.status, answer.headers.allow]).toEqual([status, allow]);
    if (status !== 204) expect(answer.headers["content-type"]).toBe("application/problem+json; charset=utf-8");
  });
});

test.each([
  "/grpc.health.v1.Health/Check",
  "/grpc.health.v1.Health/Watch",
  "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
])("%s, which the edge answers itself, refuses what is no message", async (path) => {
  const way = { ...(ways.gRPC as Way), path };
  expect(await call(way, frame(Buffer.from([0xff, 0xff])))).toEqual({ code: "3", message: noMessage });
  expect(await call(way, frame(Buffer.alloc(0), 1))).toMatchObject({ code: "3" });
});
