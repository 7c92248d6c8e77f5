import * as zlib from "node:zlib";
import { create, fromBinary, fromJsonString, type Message, toBinary, toJsonString } from "@bufbuild/protobuf";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { WatchNotificationsRequestSchema } from "#gen/notification/v1/notification_service_pb.js";
import { TaskSchema } from "#gen/task/v1/task_pb.js";
import {
  CreateTaskRequestSchema,
  CreateTaskResponseSchema,
  GetTaskRequestSchema,
  GetTaskResponseSchema,
} from "#gen/task/v1/task_service_pb.js";
import { type Edge, startEdge } from "./edge.ts";
import { frame, framesOf, send, type Wire, type WireAnswer, type WireRequest, webTrailers } from "./wire-client.ts";

const taskId = "0190a1b2-0000-7000-8000-000000000001";
const limit = 1024 * 1024;
const description = "The quick brown fox jumps over the lazy dog. ".repeat(60);
const task = { title: "a", description };
const createPath = "/task.v1.TaskService/CreateTask";

const codings = {
  gzip: { pack: (bytes: Uint8Array) => zlib.gzipSync(bytes), unpack: (bytes: Uint8Array) => zlib.gunzipSync(bytes) },
  br: {
    pack: (bytes: Uint8Array) =>
      zlib.brotliCompressSync(bytes, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 1 } }),
    unpack: (bytes: Uint8Array) => zlib.brotliDecompressSync(bytes),
  },
  zstd: {
    pack: (bytes: Uint8Array) => zlib.zstdCompressSync(bytes),
    unpack: (bytes: Uint8Array) => zlib.zstdDecompressSync(bytes),
  },
};
type CodingName = keyof typeof codings;
const names = Object.keys(codings) as CodingName[];

/** One way to make the same call. */
interface Way {
  wire: () => Wire;
  request(packed: Buffer, coding: string, accept: string): WireRequest;
  message: Buffer;
  /** The message of the answer, and in which coding it was. */
  read(answer: WireAnswer): { coding: string | undefined; message: Message };
  /** Where the status of a failure is. */
  status(answer: WireAnswer): string;
}

const binary = Buffer.from(toBinary(CreateTaskRequestSchema, create(CreateTaskRequestSchema, { task })));
const json = (whole: boolean) => Buffer.from(JSON.stringify(whole ? { task } : task));

let edge: Edge;
let authorization: string;

beforeAll(async () => {
  edge = await startEdge();
  authorization = `Bearer ${edge.issuer.token()}`;
});
afterAll(() => edge.close());
beforeEach(() => {
  edge.arrivals.length = 0;
  edge.handlers.set("task.v1.TaskService/CreateTask", async ({ task: given }) => ({ task: { ...given, etag: "v1" } }));
  edge.handlers.set("task.v1.TaskService/GetTask", async () => ({ task: { taskId, description, etag: "v7" } }));
});

const unpack = (bytes: Buffer, coding: string | undefined) =>
  coding === undefined ? bytes : codings[coding as CodingName].unpack(bytes);

const http1 = () => ({ url: edge.url, http: 1 }) as const;
const http2 = () => ({ url: edge.grpcUrl, http: 2 }) as const;

function unary(path: string, type: string, message: Buffer, decode: (bytes: Buffer) => Message): Way {
  return {
    wire: http1,
    message,
    request: (body, coding, accept) => ({
      path,
      headers: { authorization, "content-type": type, "content-encoding": coding, "accept-encoding": accept },
      body,
    }),
    read: ({ headers, body }) => {
      const coding = headers["content-encoding"];
      return { coding, message: decode(unpack(body, coding)) };
    },
    status: ({ body }) => JSON.parse(String(body)).code,
  };
}

function framed(wire: () => Wire, type: string): Way {
  return {
    wire,
    message: binary,
    request: (body, coding, accept) => ({
      path: createPath,
      headers: {
        authorization,
        "content-type": type,
        te: "trailers",
        "grpc-encoding": coding,
        "grpc-accept-encoding": accept,
      },
      body: frame(body, coding === "identity" ? 0 : 1),
    }),
    read: ({ headers, body }) => {
      const [first] = framesOf(body);
      const coding = first?.flags === 1 ? String(headers["grpc-encoding"]) : undefined;
      return { coding, message: fromBinary(CreateTaskResponseSchema, unpack(first?.bytes ?? Buffer.alloc(0), coding)) };
    },
    status: ({ headers, trailers, body }) =>
      String(trailers["grpc-status"] ?? headers["grpc-status"] ?? webTrailers(framesOf(body))["grpc-status"]),
  };
}

const parse = (bytes: Buffer) => fromJsonString(CreateTaskResponseSchema, String(bytes));
const ways: Record<string, Way> = {
  REST: unary("/v1/tasks", "application/json", json(false), (bytes) => parse(Buffer.from(`{"task":${bytes}}`))),
  "Connect JSON": unary(createPath, "application/json", json(true), parse),
  Connect: unary(createPath, "application/proto", binary, (bytes) => fromBinary(CreateTaskResponseSchema, bytes)),
  "gRPC-Web": framed(http1, "application/grpc-web+proto"),
  gRPC: framed(http2, "application/grpc+proto"),
};
const table = Object.entries(ways).flatMap(([name, way]) => names.map((coding) => [name, coding, way] as const));
const refused: Record<string, string[]> = {
  // INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNIMPLEMENTED as each says it.
  REST: ["INVALID_ARGUMENT", "RESOURCE_EXHAUSTED", "UNIMPLEMENTED"],
  Connect: ["invalid_argument", "resource_exhausted", "unimplemented"],
  gRPC: ["3", "8", "12"],
};
const codesOf = (name: string) => refused[name] ?? refused[name.startsWith("Connect") ? "Connect" : "gRPC"] ?? [];
const tasksThatArrived = () => edge.arrivals.filter(({ method }) => method.startsWith("task."));

describe.each(table)("[edge.08] %s in %s", (name, coding, way) => {
  const { pack } = codings[coding];

  test("both ways", async () => {
    const answer = await send(way.wire(), way.request(pack(way.message), coding, coding));
    const read = way.read(answer);
    expect(read.coding).toBe(coding);
    expect(read.message).toMatchObject({ task: { title: "a", description, etag: "v1" } });
    expect(tasksThatArrived()[0]?.request).toMatchObject({ task: { description } });
  });

  test("a short answer is sent as it is", async () => {
    edge.handlers.set("task.v1.TaskService/CreateTask", async () => ({ task: { title: "a" } }));
    const answer = await send(way.wire(), way.request(pack(way.message), coding, coding));
    expect(way.read(answer)).toMatchObject({ coding: undefined, message: { task: { title: "a" } } });
  });

  test.each([limit + 1, 64 * limit])("a bomb of %i bytes bursts at the limit", async (size) => {
    const answer = await send(way.wire(), way.request(pack(Buffer.alloc(size, 0x20)), coding, "identity"));
    expect(way.status(answer)).toBe(codesOf(name)[1]);
    expect(said(answer)).toContain("the body is larger than 1048576 bytes");
    if (name === "REST") expect(answer.status).toBe(413);
  });

  test.each([
    ["nonsense", () => Buffer.from("never compressed")],
    ["the half of it", () => pack(way.message).subarray(0, 40)],
    ["more behind it", () => Buffer.concat([pack(way.message), Buffer.from("more")])],
  ])("%s is refused", async (_what, body) => {
    const answer = await send(way.wire(), way.request(body(), coding, "identity"));
    expect(way.status(answer)).toBe(codesOf(name)[0]);
    expect(said(answer)).toContain(`the body is not well-formed ${coding}`);
    expect(tasksThatArrived()).toEqual([]);
  });

  test("what is no message once it is unpacked is refused as it would be otherwise", async () => {
    const broken = Buffer.concat([way.message, Buffer.from([0xff, 0xff])]);
    const packed = await send(way.wire(), way.request(pack(broken), coding, "identity"));
    const plain = await send(way.wire(), way.request(broken, "identity", "identity"));
    expect(way.status(packed)).toBe(codesOf(name)[0]);
    expect(said(packed)).toBe(said(plain));
  });
});

/** The words of a failure, wherever a protocol has them. */
function said({ headers, trailers, body }: WireAnswer): string {
  const inTrailers = trailers["grpc-message"] ?? headers["grpc-message"];
  if (inTrailers !== undefined) return decodeURIComponent(String(inTrailers));
  if (String(headers["content-type"]).startsWith("application/grpc")) {
    return decodeURIComponent(webTrailers(framesOf(body))["grpc-message"] ?? "");
  }
  const { detail, message } = JSON.parse(String(body));
  return detail ?? message;
}

test.each(Object.entries(ways))("%s names the codings that it knows when it is sent another", async (name, way) => {
  const answer = await send(way.wire(), way.request(way.message, "deflate", "identity"));
  expect(way.status(answer)).toBe(codesOf(name)[2]);
  const { headers, trailers, body } = answer;
  const everywhere = { ...headers, ...trailers, ...(name === "gRPC-Web" ? webTrailers(framesOf(body)) : {}) };
  const field = name.startsWith("gRPC") ? "grpc-accept-encoding" : "accept-encoding";
  expect(String(everywhere[field]).split(/\s*,\s*/)).toEqual(expect.arrayContaining(names));
  if (name === "REST") expect(answer.status).toBe(415);
});

describe.each(names)("[edge.08] Connect by GET in %s", (coding) => {
  const { pack, unpack: open } = codings[coding];
  const message = pack(toBinary(GetTaskRequestSchema, create(GetTaskRequestSchema, { taskId }))).toString("base64url");
  const path = `/task.v1.TaskService/GetTask?connect=v1&encoding=proto&base64=1&compression=${coding}&message=${message}`;

  test("both ways", async () => {
    const headers = { authorization, "accept-encoding": coding };
    const answer = await send(http1(), { method: "GET", path, headers });
    expect([answer.status, answer.headers["content-encoding"]]).toEqual([200, coding]);
    expect(fromBinary(GetTaskResponseSchema, open(answer.body)).task?.description).toBe(description);
  });

  test("a bomb bursts at the limit", async () => {
    const bomb = pack(Buffer.alloc(2 * limit)).toString("base64url");
    const answer = await send(http1(), {
      method: "GET",
      path: path.replace(message, bomb),
      headers: { authorization },
    });
    expect(said(answer)).toBe("the body is larger than 1048576 bytes");
  });
});

describe("a compressed representation", () => {
  const get = (headers: Record<string, string> = {}, method = "GET") =>
    send(http1(), { method, path: `/v1/tasks/${taskId}`, headers: { authorization, ...headers } });
  const firstTag = async (coding: string) => String((await get({ "accept-encoding": coding })).headers.etag);

  test("has a strong tag of its own, and says what it depends on", async () => {
    const plain = await get();
    expect([plain.headers.etag, plain.headers["content-encoding"]]).toEqual(['"v7"', undefined]);
    expect(String(plain.headers.vary).split(", ")).toEqual(
      expect.arrayContaining(["accept-encoding", "authorization"]),
    );
    const packed = await get({ "accept-encoding": "gzip;q=0.4, br" });
    expect([packed.headers.etag, packed.headers["content-encoding"]]).toEqual(['"v7;br"', "br"]);
    expect(packed.headers["content-length"]).toBe(String(packed.body.length));
    expect(packed.headers.vary).toBe(plain.headers.vary);
    expect(toJsonString(TaskSchema, fromJsonString(TaskSchema, String(codings.br.unpack(packed.body))))).toContain(
      "v7",
    );
  });

  test.each(names)("is asked about by the tag that it has in %s", async (coding) => {
    const etag = await firstTag(coding);
    const unchanged = await get({ "accept-encoding": coding, "if-none-match": etag });
    expect([unchanged.status, unchanged.headers.etag, unchanged.body.length]).toEqual([304, etag, 0]);
    expect(unchanged.headers["content-encoding"]).toBeUndefined();
    expect((await get({ "if-none-match": `"v6;${coding}"` })).status).toBe(200);
  });

  test("is the same version to If-Match", async () => {
    edge.handlers.set("task.v1.TaskService/UpdateTask", async ({ task: given }) => ({ task: given }));
    const answer = await send(http1(), {
      method: "PATCH",
      path: `/v1/tasks/${taskId}`,
      headers: { authorization, "content-type": "application/json", "if-match": await firstTag("zstd") },
      body: '{"title":"b"}',
    });
    expect(answer.status).toBe(200);
    const arrival = edge.arrivals.find(({ method }) => method === "task.v1.TaskService/UpdateTask");
    expect(arrival?.call.header("if-match")).toBe('"v7"');
  });

  test("has the same headers by HEAD", async () => {
    const [whole, head] = [await get({ "accept-encoding": "gzip" }), await get({ "accept-encoding": "gzip" }, "HEAD")];
    expect(head.body).toHaveLength(0);
    for (const name of ["etag", "content-encoding", "content-length", "vary", "cache-control", "content-type"]) {
      expect([name, head.headers[name]]).toEqual([name, whole.headers[name]]);
    }
  });

  test("is what a problem is sent as too, when it is long", async () => {
    const names = Array.from({ length: 200 }, (_, index) => `"field${index}":1`).join(",");
    const answer = await send(http1(), {
      path: "/v1/tasks",
      headers: { authorization, "content-type": "application/json", "accept-encoding": "gzip" },
      body: `{${names}}`,
    });
    expect([answer.status, answer.headers["content-encoding"]]).toEqual([400, "gzip"]);
    expect(JSON.parse(String(zlib.gunzipSync(answer.body)))).toMatchObject({ status: 400 });
  });

  test("is what /openapi.json is sent as", async () => {
    const answer = await send(http1(), {
      method: "GET",
      path: "/openapi.json",
      headers: { "accept-encoding": "zstd" },
    });
    expect(JSON.parse(String(zlib.zstdDecompressSync(answer.body)))).toHaveProperty("openapi");
    const again = { "accept-encoding": "zstd", "if-none-match": String(answer.headers.etag) };
    expect((await send(http1(), { method: "GET", path: "/openapi.json", headers: again })).status).toBe(304);
  });
});

describe("messages of a stream", () => {
  const path = "/notification.v1.NotificationService/WatchNotifications";
  const request = frame(toBinary(WatchNotificationsRequestSchema, create(WatchNotificationsRequestSchema)));
  const headers = () => ({ authorization, "content-type": "application/connect+proto" });

  test.each(names)("are compressed each by itself in %s", async (coding) => {
    edge.handlers.set("notification.v1.NotificationService/WatchNotifications", async function* () {
      for (const text of [description, "short", description])
        yield { change: { case: "created", value: { title: text } } };
    });
    const answer = await send(http1(), {
      path,
      headers: { ...headers(), "connect-accept-encoding": coding },
      body: request,
    });
    const [first, second, third, end] = framesOf(answer.body);
    expect(answer.headers["connect-content-encoding"]).toBe(coding);
    expect(answer.headers["content-encoding"]).toBeUndefined();
    expect([first?.flags, second?.flags, third?.flags, end?.flags]).toEqual([1, 0, 1, 2]);
    expect(String(codings[coding].unpack(first?.bytes ?? Buffer.alloc(0)))).toContain(description);
  });
});
