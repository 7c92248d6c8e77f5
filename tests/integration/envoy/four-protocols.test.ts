import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  create,
  type DescMethod,
  fromBinary,
  fromJson,
  type JsonValue,
  type Message,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { type Any, anyUnpack, MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "#gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "#gen/google/rpc/status_pb.js";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { type Task, TaskSchema } from "#gen/task/v1/task_pb.js";
import { TaskService } from "#gen/task/v1/task_service_pb.js";
import { codeName, etagMismatch, invalidArgument, notFound, ServiceError, unavailable } from "#kit/errors.ts";
import type { CallContext } from "#kit/grpc/service.ts";
import { edgeCertificate } from "../../../cli/runner/certificate.ts";
import { pickPorts } from "../../../cli/runner/ports.ts";
import { isExposed, meshServices } from "../../../gateway/services.ts";
import {
  frame,
  framesOf,
  send,
  type Wire,
  type WireAnswer,
  type WireRequest,
  webTrailers,
} from "../gateway/wire-client.ts";
import { startWholeEdge, type WholeEdge } from "./whole-edge.ts";

const taskId = "0190a1b2-0000-7000-8000-000000000001";
const stored = create(TaskSchema, { taskId, title: "Übersicht – 概要", description: "x".repeat(3000), etag: "v7" });
const { getTask, updateTask } = TaskService.method;

let folder: string;
let edge: WholeEdge;
let authorization: string;
let wires: Record<string, Wire>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "taskmesh-tls-"));
  const tls = await edgeCertificate(folder);
  if (tls === undefined) throw new Error("there is no openssl to make a certificate with");
  const [edgeTlsPort = 0] = await pickPorts(1);
  edge = await startWholeEdge({ tls, edgeTlsPort });
  authorization = `Bearer ${edge.gateway.issuer.token()}`;
  const ca = await readFile(tls.certFile, "utf8");
  const secure = `https://127.0.0.1:${edgeTlsPort}`;
  wires = {
    "HTTP/1.1": { url: edge.url, http: 1 },
    "HTTP/2": { url: edge.url, http: 2 },
    "HTTP/1.1 with TLS": { url: secure, http: 1, ca },
    "HTTP/2 with TLS": { url: secure, http: 2, ca },
  };
});
afterAll(async () => {
  await edge?.stop();
  await rm(folder, { recursive: true, force: true });
});

beforeEach(() => {
  const answer = (task: Partial<Task>, call: CallContext) => {
    call.responseHeader("warning-count", "3");
    call.setTrailer("cost", "7");
    return { task };
  };
  edge.gateway.handlers.set("task.v1.TaskService/GetTask", async (_request, call) => answer(stored, call));
  edge.gateway.handlers.set("task.v1.TaskService/UpdateTask", async ({ task }, call) => answer(task, call));
});

/** What a call came to, in one form for all protocols. */
interface Outcome {
  code: string;
  message?: string;
  task?: Task | undefined;
  reason?: string;
  metadata?: Record<string, string>;
  violations?: { field: string; description: string }[];
  retryMs?: number | undefined;
  header?: unknown;
  trailer?: unknown;
}

interface Protocol {
  request(method: DescMethod, message: Message): WireRequest;
  read(method: DescMethod, answer: WireAnswer): Outcome;
}

const path = (method: DescMethod) => `/${method.parent.typeName}/${method.name}`;
const taskOf = (method: DescMethod, bytes: Uint8Array) =>
  (fromBinary(method.output, bytes) as Message & { task?: Task }).task;
const taskOfJson = (method: DescMethod, json: JsonValue) =>
  (fromJson(method.output, json) as Message & { task?: Task }).task;

function detailsOf(details: readonly Any[]): Partial<Outcome> {
  const find = <T>(pick: (detail: Any) => T | undefined) => details.map(pick).find((found) => found !== undefined);
  const info = find((detail) => anyUnpack(detail, ErrorInfoSchema));
  const bad = find((detail) => anyUnpack(detail, BadRequestSchema));
  const delay = find((detail) => anyUnpack(detail, RetryInfoSchema))?.retryDelay;
  return {
    reason: info?.reason ?? "",
    metadata: info?.metadata ?? {},
    violations: (bad?.fieldViolations ?? []).map(({ field, description }) => ({ field, description })),
    retryMs: delay && Number(delay.seconds) * 1000 + delay.nanos / 1e6,
  };
}

function ofRest(answer: WireAnswer): Outcome {
  const { headers, body } = answer;
  const json = JSON.parse(String(body));
  const said = { header: headers["warning-count"], trailer: headers.cost };
  if (answer.status === 200) return { code: "OK", task: fromJson(TaskSchema, json), ...said };
  const retry = headers["retry-after"];
  return {
    code: json.code,
    message: json.detail,
    reason: json.reason,
    metadata: json.metadata ?? {},
    violations: json.fieldViolations ?? [],
    retryMs: retry === undefined ? undefined : Number(retry) * 1000,
    ...said,
  };
}

function ofConnect(method: DescMethod, { status, headers, body }: WireAnswer): Outcome {
  const said = { header: headers["warning-count"], trailer: headers["trailer-cost"] };
  if (status === 200) {
    const isJson = String(headers["content-type"]).startsWith("application/json");
    return { code: "OK", task: isJson ? taskOfJson(method, JSON.parse(String(body))) : taskOf(method, body), ...said };
  }
  const { code, message, details } = JSON.parse(String(body));
  const packed = details.map(({ type, value }: { type: string; value: string }) => ({
    $typeName: "google.protobuf.Any",
    typeUrl: `type.googleapis.com/${type}`,
    value: Buffer.from(value, "base64"),
  }));
  return { code: code.toUpperCase(), message, ...detailsOf(packed), ...said };
}

function ofGrpc(method: DescMethod, { headers, trailers, body }: WireAnswer): Outcome {
  const frames = framesOf(body);
  const end = { ...headers, ...trailers, ...webTrailers(frames) };
  const said = { header: headers["warning-count"] ?? end["warning-count"], trailer: end.cost };
  const code = Number(end["grpc-status"]);
  const [first] = frames;
  if (code === 0) return { code: "OK", task: taskOf(method, first?.bytes ?? Buffer.alloc(0)), ...said };
  const status = fromBinary(StatusSchema, Buffer.from(String(end["grpc-status-details-bin"] ?? ""), "base64"));
  const message = decodeURIComponent(String(end["grpc-message"]));
  expect([status.code, status.message]).toEqual([code, message]);
  return { code: codeName(code), message, ...detailsOf(status.details), ...said };
}

const connect = (isJson: boolean): Protocol => ({
  request: (method, message) => ({
    path: path(method),
    headers: { "content-type": isJson ? "application/json" : "application/proto", "connect-protocol-version": "1" },
    body: isJson ? JSON.stringify(toJson(method.input, message)) : toBinary(method.input, message),
  }),
  read: ofConnect,
});

const grpc = (type: string): Protocol => ({
  request: (method, message) => ({
    path: path(method),
    headers: { "content-type": type, te: "trailers" },
    body: frame(toBinary(method.input, message)),
  }),
  read: ofGrpc,
});

const protocols: Record<string, Protocol> = {
  REST: {
    request: (method, message) => {
      if (method.name === getTask.name) return { method: "GET", path: `/v1/tasks/${taskId}` };
      const { task } = toJson(method.input, message) as { task: object };
      const headers = { "content-type": "application/json" };
      return {
        method: "PATCH",
        path: `/v1/tasks/${taskId}`,
        headers,
        body: JSON.stringify({ ...task, taskId: undefined }),
      };
    },
    read: (_method, answer) => ofRest(answer),
  },
  "Connect JSON": connect(true),
  Connect: connect(false),
  "gRPC-Web": grpc("application/grpc-web+proto"),
  gRPC: grpc("application/grpc+proto"),
};

const rows = ["HTTP/1.1", "HTTP/2", "HTTP/1.1 with TLS", "HTTP/2 with TLS"].flatMap((wire) =>
  Object.keys(protocols)
    .filter((name) => name !== "gRPC" || wire.startsWith("HTTP/2"))
    .map((protocol) => [protocol, wire] as const),
);

const violation = { field: "title", description: "is too dull" };
const failures: [string, () => ServiceError][] = [
  ["NOT_FOUND", () => notFound(ErrorReason.TASK_NOT_FOUND, "there is no such task")],
  ["ABORTED", () => etagMismatch("v8")],
  ["UNAVAILABLE", () => unavailable("the database is away")],
  ["INVALID_ARGUMENT", () => invalidArgument("task.title", violation.description)],
  ["INTERNAL", () => new ServiceError({ reason: ErrorReason.INTERNAL, message: "internal error" })],
];

describe.each(rows)("[edge.02] %s over %s", (name, wireName) => {
  const ask = async (method: DescMethod, message: Message, headers: Record<string, string> = {}) => {
    const { request, read } = protocols[name] as Protocol;
    const { headers: given, ...rest } = request(method, message);
    const answer = await send(wires[wireName] as Wire, { ...rest, headers: { authorization, ...given, ...headers } });
    return { answer, outcome: read(method, answer) };
  };
  const read = () => ask(getTask, create(getTask.input, { taskId }));
  const write = () =>
    ask(
      updateTask,
      create(updateTask.input, { task: { taskId, title: "b", etag: "v7" }, updateMask: { paths: ["title"] } }),
    );

  test("has the same result, headers and trailers", async () => {
    const { outcome } = await read();
    expect(outcome).toEqual({ code: "OK", task: stored, header: "3", trailer: "7" });
  });

  test("brings the same request", async () => {
    await write();
    const arrived = edge.arrivals().findLast(({ method }) => method === "task.v1.TaskService/UpdateTask");
    expect(arrived?.request).toMatchObject({
      task: { taskId, title: "b", etag: "v7" },
      updateMask: { paths: ["title"] },
    });
  });

  test.each(failures)("has the same status, words and details: %s", async (code, make) => {
    const error = make();
    edge.gateway.handlers.set("task.v1.TaskService/UpdateTask", async (_request, call: CallContext) => {
      call.responseHeader("warning-count", "3");
      call.setTrailer("cost", "7");
      throw error;
    });
    const isField = error.fieldViolations.length > 0;
    const field = name === "REST" ? "title" : "task.title";
    const { outcome } = await write();
    expect(outcome).toEqual({
      code,
      message: isField ? `${field}: ${violation.description}` : error.message,
      reason: ErrorReason[error.reason],
      metadata: error.metadata,
      violations: isField ? [{ ...violation, field }] : [],
      retryMs: error.retryAfterMs,
      header: "3",
      trailer: "7",
    });
  });

  test("refuses a caller without a token in the same way", async () => {
    const { outcome } = await ask(getTask, create(getTask.input, { taskId }), { authorization: "" });
    expect(outcome).toMatchObject({
      code: "UNAUTHENTICATED",
      reason: "TOKEN_INVALID",
      message: "this call needs an access token",
    });
  });
});

describe.each(["HTTP/1.1", "HTTP/2", "HTTP/1.1 with TLS", "HTTP/2 with TLS"])("[edge.09] a GET over %s", (wireName) => {
  const query = `connect=v1&encoding=json&message=${encodeURIComponent(JSON.stringify({ taskId }))}`;

  test.each([
    ["REST", `/v1/tasks/${taskId}`],
    ["Connect", `${path(getTask)}?${query}`],
  ])("%s: a person's own is asked about each time", async (_name, target) => {
    const ask = (method: string, headers: Record<string, string> = {}) =>
      send(wires[wireName] as Wire, { method, path: target, headers: { authorization, ...headers } });
    const whole = await ask("GET");
    expect([whole.status, whole.headers.etag, whole.headers["cache-control"]]).toEqual([
      200,
      '"v7"',
      "private, no-cache",
    ]);
    expect(String(whole.headers.vary).split(", ")).toEqual(
      expect.arrayContaining(["authorization", "accept-encoding"]),
    );
    const unchanged = await ask("GET", { "if-none-match": '"v7"' });
    expect([unchanged.status, unchanged.body.length]).toEqual([304, 0]);
    for (const header of ["etag", "cache-control", "vary"]) {
      expect([header, unchanged.headers[header]]).toEqual([header, whole.headers[header]]);
    }
    const head = await ask("HEAD");
    expect([head.status, head.body.length, head.headers.etag]).toEqual([200, 0, '"v7"']);
    expect((await ask("GET", { "if-none-match": '"v6"' })).status).toBe(200);
    expect((await ask("GET", { authorization: "" })).headers["cache-control"]).toBe("no-store");
  });

  test.each([
    ["REST", "/.well-known/jwks.json"],
    ["Connect", "/auth.v1.AuthService/GetJwks?connect=v1&encoding=json&message=%7B%7D"],
  ])("%s: what is public may be kept for a minute", async (_name, target) => {
    const answer = await send(wires[wireName] as Wire, { method: "GET", path: target });
    expect([answer.status, answer.headers["cache-control"]]).toEqual([200, "public, max-age=60"]);
    expect(String(answer.headers.vary)).not.toContain("authorization");
  });

  test.each([
    ["REST", "/v1/tasks"],
    ["Connect", "/task.v1.TaskService/ListTasks?connect=v1&encoding=json&message=%7B%7D"],
  ])("%s: what has no tag is not kept", async (_name, target) => {
    edge.gateway.handlers.set("task.v1.TaskService/ListTasks", async () => ({}));
    const answer = await send(wires[wireName] as Wire, { method: "GET", path: target, headers: { authorization } });
    expect([answer.status, answer.headers["cache-control"], answer.headers.etag]).toEqual([200, "no-store", undefined]);
  });
});

const everyRpc = Object.values(meshServices).flatMap(({ methods }) =>
  methods.filter((method) => method.methodKind === "unary" && isExposed(method)),
);

test.each(everyRpc.map((method) => [path(method), method] as const))(
  "%s is there for GET if it only reads",
  async (target, method) => {
    const { status, headers } = await send(wires["HTTP/1.1"] as Wire, {
      method: "GET",
      path: `${target}?connect=v1&encoding=proto&base64=1&message=`,
      headers: { authorization },
    });
    const isRead = method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
    expect([status === 405, headers.allow]).toEqual(isRead ? [false, undefined] : [true, "POST"]);
  },
);
