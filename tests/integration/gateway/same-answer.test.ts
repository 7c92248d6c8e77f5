import { create, toJson } from "@bufbuild/protobuf";
import { ConnectError, createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "#gen/google/rpc/error_details_pb.js";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { Status, TaskSchema } from "#gen/task/v1/task_pb.js";
import { type CreateTaskRequest, TaskService } from "#gen/task/v1/task_service_pb.js";
import { Code, etagMismatch, notFound, permissionDenied, ServiceError, unavailable } from "#kit/errors.ts";
import type { CallContext } from "#kit/grpc/service.ts";
import { type Edge, type Protocol, startEdge } from "./edge.ts";

const protocols: Protocol[] = ["Connect JSON", "Connect", "gRPC-Web", "gRPC"];
const taskId = "0190a1b2-0000-7000-8000-000000000001";
const stored = create(TaskSchema, {
  taskId,
  title: "Übersicht – 概要",
  status: Status.OPEN,
  priority: 3,
  due: { dateTime: "2026-11-30T09:00:00", timeZone: "Europe/Berlin" },
  labelIds: [taskId],
  createTime: { seconds: 1_790_000_000n, nanos: 5_000_000 },
  etag: "v7",
  revision: 9_007_199_254_740_993n,
});

let edge: Edge;
let authorization: string;

beforeAll(async () => {
  edge = await startEdge();
  authorization = `Bearer ${edge.issuer.token()}`;
});
afterAll(() => edge.close());
beforeEach(() => {
  edge.arrivals.length = 0;
  edge.handlers.set("task.v1.TaskService/GetTask", async () => ({ task: stored }));
  edge.handlers.set("task.v1.TaskService/CreateTask", async ({ task }) => ({ task: { ...task, etag: "v1" } }));
});

const get = (path: string, headers: Record<string, string> = {}) =>
  fetch(`${edge.url}${path}`, { headers: { authorization, ...headers } });
const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(`${edge.url}${path}`, {
    method: "POST",
    headers: { authorization, "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });

describe("one call, every protocol", () => {
  test("REST reads the resource itself, with its ETag", async () => {
    const response = await get(`/v1/tasks/${taskId}`);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/json; charset=utf-8");
    expect(response.headers.get("etag")).toBe('"v7"');
    expect(await response.json()).toEqual(toJson(TaskSchema, stored, { alwaysEmitImplicit: true }));
  });

  test("REST answers 304 without a body to whoever has this version already", async () => {
    const unchanged = await get(`/v1/tasks/${taskId}`, { "if-none-match": '"v6", W/"v7"' });
    expect([unchanged.status, unchanged.headers.get("etag"), await unchanged.text()]).toEqual([304, '"v7"', ""]);
    expect((await get(`/v1/tasks/${taskId}`, { "if-none-match": '"v6"' })).status).toBe(200);
  });

  test.each(protocols)("%s answers the same message", async (protocol) => {
    const client = createClient(TaskService, edge.transports[protocol]);
    const { task } = await client.getTask({ taskId }, { headers: { authorization } });
    expect(task).toEqual(stored);
  });

  test("a request arrives as the same message", async () => {
    const task = { title: "a", priority: 2, due: { date: "2026-11-30" }, labelIds: [taskId] };
    const response = await post("/v1/tasks", { ...task, label_ids: undefined });
    expect(response.status).toBe(200);
    for (const protocol of protocols) {
      await createClient(TaskService, edge.transports[protocol]).createTask({ task }, { headers: { authorization } });
    }
    const requests = edge.arrivals
      .filter(({ method }) => method === "task.v1.TaskService/CreateTask")
      .map(({ request }) => request as CreateTaskRequest);
    expect(requests).toHaveLength(5);
    for (const request of requests) expect(request).toEqual(requests[0]);
    expect(requests[0]?.task?.due?.date).toBe("2026-11-30");
  });

  test("zeros and empty lists are written in JSON", async () => {
    edge.handlers.set("notification.v1.NotificationService/GetUnreadCount", async () => ({}));
    edge.handlers.set("task.v1.TaskService/ListTasks", async () => ({}));
    const count = await get("/v1/notifications:unreadCount");
    expect(await count.json()).toEqual({ unreadCount: 0, revision: "0" });
    const list = await get("/v1/tasks");
    expect(await list.json()).toEqual({ tasks: [], nextPageToken: "" });
    const connect = await post("/task.v1.TaskService/ListTasks", {});
    expect(await connect.json()).toEqual({ tasks: [], nextPageToken: "" });
  });

  test("PATCH names its fields in the mask, on the way to the service", async () => {
    edge.handlers.set("task.v1.TaskService/UpdateTask", async ({ task }) => ({ task }));
    const response = await fetch(`${edge.url}/v1/tasks/${taskId}`, {
      method: "PATCH",
      headers: { authorization, "content-type": "application/merge-patch+json", "if-match": '"v7"' },
      body: JSON.stringify({ title: "b", due: null, label_ids: [] }),
    });
    expect(response.status).toBe(200);
    const { request, call } = edge.arrivals[0] ?? {};
    expect(request).toMatchObject({
      task: { taskId, title: "b", etag: "", labelIds: [] },
      updateMask: { paths: ["title", "due", "label_ids"] },
    });
    expect(call?.header("if-match")).toBe('"v7"');
  });
});

test("[edge.11] what a service says in headers and trailers arrives, what belongs to the mesh does not", async () => {
  edge.handlers.set("task.v1.TaskService/GetTask", async (_request, call: CallContext) => {
    call.responseHeader("warning-count", "3");
    call.responseHeader("x-mesh-secret", "s");
    call.setTrailer("cost", "7");
    return { task: stored };
  });
  const response = await get(`/v1/tasks/${taskId}`);
  expect([response.headers.get("warning-count"), response.headers.get("cost")]).toEqual(["3", "7"]);
  expect(response.headers.get("x-mesh-secret")).toBeNull();
  for (const protocol of protocols) {
    const seen: { header?: Headers; trailer?: Headers } = {};
    await createClient(TaskService, edge.transports[protocol]).getTask(
      { taskId },
      {
        headers: { authorization },
        onHeader: (headers) => {
          seen.header = headers;
        },
        onTrailer: (trailers) => {
          seen.trailer = trailers;
        },
      },
    );
    expect([seen.header?.get("warning-count"), seen.trailer?.get("cost")]).toEqual(["3", "7"]);
    expect(seen.header?.get("x-mesh-secret")).toBeNull();
  }
});

const violation = { field: "task.due.date", description: "must be a day" };
const failures: [string, ServiceError, number][] = [
  [
    "INVALID_ARGUMENT",
    new ServiceError({
      reason: ErrorReason.INVALID_FIELD,
      message: "task.due.date: must be a day",
      fieldViolations: [violation],
    }),
    400,
  ],
  ["NOT_FOUND", notFound(ErrorReason.TASK_NOT_FOUND, "there is no such task"), 404],
  ["PERMISSION_DENIED", permissionDenied("only the owner may"), 403],
  ["ALREADY_EXISTS", new ServiceError({ reason: ErrorReason.ALREADY_EXISTS, message: "the id is taken" }), 409],
  ["FAILED_PRECONDITION", new ServiceError({ reason: ErrorReason.TASK_STATE, message: "the task is done" }), 400],
  [
    "FAILED_PRECONDITION",
    new ServiceError({ reason: ErrorReason.IDEMPOTENCY_KEY_REUSED, message: "another request" }),
    422,
  ],
  ["ABORTED", etagMismatch("v8"), 412],
  ["ABORTED", new ServiceError({ reason: ErrorReason.IDEMPOTENCY_KEY_IN_FLIGHT, message: "still running" }), 409],
  [
    "RESOURCE_EXHAUSTED",
    new ServiceError({ reason: ErrorReason.RATE_LIMITED, message: "slower", retryAfterMs: 1500 }),
    429,
  ],
  ["UNAVAILABLE", unavailable("the database is away"), 503],
  ["INTERNAL", new ServiceError({ reason: ErrorReason.INTERNAL, message: "internal error" }), 500],
];

describe.each(failures)("%s (%#)", (code, error, status) => {
  beforeEach(() => {
    edge.handlers.set("task.v1.TaskService/CreateTask", async () => {
      throw error;
    });
  });

  test(`[edge.05] REST answers ${status} as problem+json`, async () => {
    const response = await post("/v1/tasks", { title: "a" });
    expect(response.status).toBe(status);
    expect(response.headers.get("content-type")).toBe("application/problem+json; charset=utf-8");
    const problem = (await response.json()) as Record<string, unknown>;
    expect(problem).toMatchObject({
      type: "about:blank",
      status,
      code,
      reason: ErrorReason[error.reason],
      requestId: response.headers.get("x-request-id"),
    });
    const fields = error.fieldViolations.map(({ description }) => ({ field: "due.date", description }));
    expect(problem.fieldViolations).toEqual(fields.length > 0 ? fields : undefined);
    expect(problem.metadata).toEqual(Object.keys(error.metadata).length > 0 ? error.metadata : undefined);
    const retryAfter = error.retryAfterMs === undefined ? null : String(Math.ceil(error.retryAfterMs / 1000));
    expect(response.headers.get("retry-after")).toBe(retryAfter);
  });

  test.each(protocols)("%s has the same code, message and details", async (protocol) => {
    const client = createClient(TaskService, edge.transports[protocol]);
    const failure = await client
      .createTask({ task: { title: "a" } }, { headers: { authorization } })
      .catch((thrown: unknown) => ConnectError.from(thrown));
    if (!(failure instanceof ConnectError)) throw new Error("the call went well");
    expect(failure.code).toBe(Code[code as keyof typeof Code]);
    expect(failure.rawMessage).toBe(error.message);
    const [info] = failure.findDetails(ErrorInfoSchema);
    expect(info).toMatchObject({ domain: "taskmesh", reason: ErrorReason[error.reason], metadata: error.metadata });
    const [bad] = failure.findDetails(BadRequestSchema);
    expect((bad?.fieldViolations ?? []).map(({ field, description }) => ({ field, description }))).toEqual([
      ...error.fieldViolations,
    ]);
    const [retry] = failure.findDetails(RetryInfoSchema);
    const delay = retry?.retryDelay;
    expect(delay && Number(delay.seconds) * 1000 + delay.nanos / 1e6).toBe(error.retryAfterMs);
  });
});

test("what a fault was stays inside, whatever the protocol", async () => {
  edge.handlers.set("task.v1.TaskService/CreateTask", async () => {
    throw new Error("connect ECONNREFUSED 10.0.0.7:5432");
  });
  const response = await post("/v1/tasks", { title: "a" });
  expect(response.status).toBe(500);
  expect(await response.text()).not.toContain("10.0.0.7");
  for (const protocol of protocols) {
    const call = createClient(TaskService, edge.transports[protocol]).createTask(
      { task: {} },
      { headers: { authorization } },
    );
    await expect(call).rejects.toMatchObject({ code: Code.INTERNAL, rawMessage: "internal error" });
  }
});
