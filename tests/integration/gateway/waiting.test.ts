import { ConnectError, createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ErrorInfoSchema } from "#gen/google/rpc/error_details_pb.js";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { TaskService } from "#gen/task/v1/task_service_pb.js";
import { Code, notFound } from "#kit/errors.ts";
import type { CallContext } from "#kit/grpc/service.ts";
import { TestService } from "#kit/grpc/testing.ts";
import { type Edge, type Protocol, startEdge } from "./edge.ts";

const taskId = "0190a1b2-0000-7000-8000-000000000001";
const protocols: Protocol[] = ["Connect JSON", "Connect", "gRPC-Web", "gRPC"];

let edge: Edge;
let headers: Record<string, string>;

beforeAll(async () => {
  edge = await startEdge();
  headers = { authorization: `Bearer ${edge.issuer.token()}` };
});
afterAll(() => edge.close());
beforeEach(() => {
  edge.arrivals.length = 0;
});

/** A handler that never answers; the promise tells why it was told to give up. */
function hang(method: string): { started: Promise<void>; given: Promise<Error> } {
  const started = Promise.withResolvers<void>();
  const given = Promise.withResolvers<Error>();
  edge.handlers.set(method, (_request, { signal }: CallContext) => {
    signal.addEventListener("abort", () => given.resolve(signal.reason));
    started.resolve();
    return Promise.withResolvers().promise;
  });
  return { started: started.promise, given: given.promise };
}

describe("deadlines", () => {
  const remaining = async (extra: Record<string, string>) => {
    let left = 0;
    edge.handlers.set("task.v1.TaskService/GetTask", async (_request, { deadline }: CallContext) => {
      left = (deadline?.getTime() ?? Number.NaN) - Date.now();
      return { task: { taskId } };
    });
    const response = await fetch(`${edge.url}/v1/tasks/${taskId}`, { headers: { ...headers, ...extra } });
    expect(response.status).toBe(200);
    return { left, response };
  };

  test.each([
    [{}, 2000],
    [{ "connect-timeout-ms": "1000" }, 980],
    [{ "grpc-timeout": "1S" }, 980],
    [{ "grpc-timeout": "900m" }, 880],
    [{ prefer: "wait=1" }, 980],
    [{ prefer: "return=minimal, wait=1" }, 980],
    [{ prefer: "wait=10", "connect-timeout-ms": "1000" }, 980],
    [{ "connect-timeout-ms": "90000" }, 2000],
    [{ prefer: "wait=soon" }, 2000],
  ])("%j leaves the service at most %i ms", async (extra, most) => {
    const { left } = await remaining(extra);
    expect(left).toBeLessThanOrEqual(most);
    expect(left).toBeGreaterThan(0);
  });

  test("a preference that was followed is said so", async () => {
    const { response } = await remaining({ prefer: "wait=1" });
    expect(response.headers.get("preference-applied")).toBe("wait=1");
  });

  test("the service hears of it, and the client gets DEADLINE_EXCEEDED by REST and by Connect", async () => {
    const { given } = hang("task.v1.TaskService/GetTask");
    const response = await fetch(`${edge.url}/v1/tasks/${taskId}`, {
      headers: { ...headers, "connect-timeout-ms": "200" },
    });
    expect(response.status).toBe(504);
    expect(await response.json()).toMatchObject({ code: "DEADLINE_EXCEEDED", reason: "DEADLINE_EXCEEDED" });
    expect(await given).toMatchObject({ reason: ErrorReason.DEADLINE_EXCEEDED });
    const connect = await fetch(`${edge.url}/task.v1.TaskService/GetTask`, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json", "connect-timeout-ms": "200" },
      body: JSON.stringify({ taskId }),
    });
    expect(await connect.json()).toMatchObject({ code: "deadline_exceeded" });
  });

  test("hardly any time left is DEADLINE_EXCEEDED at once", async () => {
    const extra = { ...headers, "connect-timeout-ms": "10" };
    const response = await fetch(`${edge.url}/v1/tasks/${taskId}`, { headers: extra });
    expect(response.status).toBe(504);
    expect(edge.arrivals.filter(({ method }) => method.startsWith("task."))).toEqual([]);
  });
});

describe("a client that goes away stops the work", () => {
  test("REST", async () => {
    const { started, given } = hang("task.v1.TaskService/GetTask");
    const controller = new AbortController();
    const call = fetch(`${edge.url}/v1/tasks/${taskId}`, { headers, signal: controller.signal });
    await started;
    controller.abort();
    await expect(call).rejects.toThrow();
    expect(await given).toMatchObject({ reason: ErrorReason.CANCELLED });
  });

  test.each(protocols)("%s", async (protocol) => {
    const { started, given } = hang("task.v1.TaskService/GetTask");
    const controller = new AbortController();
    const client = createClient(TaskService, edge.transports[protocol]);
    const call = client.getTask({ taskId }, { headers, signal: controller.signal });
    call.catch(() => {});
    await started;
    controller.abort();
    await expect(call).rejects.toMatchObject({ code: Code.CANCELLED });
    expect(await given).toMatchObject({ reason: ErrorReason.CANCELLED });
  });
});

describe.each(protocols)("streams by %s", (protocol) => {
  const watch = "mesh.test.v1.TestService/Watch";

  test("messages arrive in order, and then the end", async () => {
    edge.handlers.set(watch, async function* () {
      for (const value of ["a", "b", "c"]) yield { value };
    });
    const seen: string[] = [];
    const client = createClient(TestService, edge.transports[protocol]);
    for await (const { value } of client.watch({ value: "x" }, { headers })) seen.push(value);
    expect(seen).toEqual(["a", "b", "c"]);
  });

  test("an error in the midst is an error, never a clean end", async () => {
    edge.handlers.set(watch, async function* () {
      yield { value: "a" };
      throw notFound(ErrorReason.TASK_NOT_FOUND, "gone meanwhile");
    });
    const seen: string[] = [];
    const client = createClient(TestService, edge.transports[protocol]);
    const failure = await (async () => {
      for await (const { value } of client.watch({ value: "x" }, { headers })) seen.push(value);
    })().catch((error: unknown) => ConnectError.from(error));
    expect(seen).toEqual(["a"]);
    if (!(failure instanceof ConnectError)) throw new Error("the stream ended well");
    expect(failure).toMatchObject({ code: Code.NOT_FOUND, rawMessage: "gone meanwhile" });
    expect(failure.findDetails(ErrorInfoSchema)[0]?.reason).toBe("TASK_NOT_FOUND");
  });

  test("a client that leaves ends the stream at the service", async () => {
    const given = Promise.withResolvers<Error>();
    edge.handlers.set(watch, async function* (_request, { signal }: CallContext) {
      signal.addEventListener("abort", () => given.resolve(signal.reason));
      yield { value: "a" };
      await given.promise;
    });
    const controller = new AbortController();
    const client = createClient(TestService, edge.transports[protocol]);
    const loop = (async () => {
      for await (const _ of client.watch({ value: "x" }, { headers, signal: controller.signal })) controller.abort();
    })();
    await expect(loop).rejects.toMatchObject({ code: Code.CANCELLED });
    expect(await given.promise).toMatchObject({ reason: ErrorReason.CANCELLED });
  });

  test("a stream needs a token too", async () => {
    const client = createClient(TestService, edge.transports[protocol]);
    const loop = (async () => {
      for await (const _ of client.watch({ value: "x" })) throw new Error("a message came");
    })();
    await expect(loop).rejects.toMatchObject({ code: Code.UNAUTHENTICATED });
  });
});

test("a gateway that closes ends its streams with an error that says to come back", async () => {
  const other = await startEdge();
  other.handlers.set("mesh.test.v1.TestService/Watch", async function* (_request, { signal }: CallContext) {
    yield { value: "a" };
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
  });
  const client = createClient(TestService, other.transports.gRPC);
  const first = Promise.withResolvers<void>();
  const ended = (async () => {
    const token = { authorization: `Bearer ${other.issuer.token()}` };
    for await (const _ of client.watch({ value: "x" }, { headers: token })) first.resolve();
  })().catch((error: unknown) => ConnectError.from(error));
  await first.promise;
  await other.close();
  expect(await ended).toMatchObject({ code: Code.UNAVAILABLE });
});
