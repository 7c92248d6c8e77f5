import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { Code, ServiceError } from "../errors.ts";
import { createClient, type HeaderMap } from "./client.ts";
import type { ServerInterceptor } from "./interceptors/interceptor.ts";
import { service } from "./server.ts";
import type { CallContext, ServiceImpl } from "./service.ts";
import { bearer, startTestMesh, type TestMesh, TestService, testImpl } from "./testing.ts";

const rich = new ServiceError({
  reason: ErrorReason.ETAG_MISMATCH,
  message: 'the "etag" is old: ünïcode ✓',
  fieldViolations: [
    { field: "task.title", description: "too long" },
    { field: "task.due", description: "no date" },
  ],
  metadata: { current_etag: "abc" },
  retryAfterMs: 1500,
  cause: new Error("for the log only"),
});

const unprintable = {
  toString: () => {
    throw new Error("secret detail of the encoder");
  },
};

let mesh: TestMesh;
let last: CallContext;
let produced = 0;

const impl: ServiceImpl<typeof TestService> = testImpl({
  echo: async ({ value }, call) => {
    last = call;
    if (value === "fail") throw rich;
    if (value === "break") throw new TypeError("secret detail of the database");
    if (value === "wrong type") return { value: unprintable as unknown as string };
    call.responseHeader("x-served-by", "task-1");
    call.setTrailer("x-cost", "3");
    return { value };
  },
  open: async ({ value }, call) => {
    last = call;
    return { value };
  },
  watch: async function* ({ value }, call) {
    last = call;
    call.responseHeader("x-served-by", "task-1");
    for (produced = 0; produced < Number(value); produced++) yield { value: String(produced).padStart(100) };
    call.setTrailer("x-cost", "9");
    if (Number(value) === 3) throw rich;
  },
  forTask: async ({ value }, call) => {
    last = call;
    return { value };
  },
});

beforeAll(async () => {
  mesh = await startTestMesh([service(TestService, impl)]);
});
afterAll(() => mesh.close());

async function collect(messages: AsyncIterable<{ value: string }>): Promise<string[]> {
  const values: string[] = [];
  for await (const { value } of messages) values.push(value.trim());
  return values;
}

describe("a unary call", () => {
  it("carries the message there and back, with headers and trailers", async () => {
    const seen: HeaderMap[] = [];
    const push = (headers: HeaderMap) => void seen.push(headers);
    const options = { headers: { ...bearer(mesh), "x-own": "1" }, onHeader: push, onTrailer: push };
    const { value } = await mesh.client(TestService).echo({ value: "ünïcode ✓" }, options);
    expect(value).toBe("ünïcode ✓");
    expect(last.header("x-own")).toBe("1");
    expect(seen).toMatchObject([{ "x-served-by": "task-1" }, { "x-cost": "3" }]);
  });

  it("brings an error over with its code, reason and every detail, and without its cause", async () => {
    const error = await mesh
      .client(TestService)
      .echo({ value: "fail" }, { headers: bearer(mesh) })
      .catch((thrown) => thrown);
    expect(error).toBeInstanceOf(ServiceError);
    expect(error).toMatchObject({
      code: Code.ABORTED,
      reason: ErrorReason.ETAG_MISMATCH,
      message: rich.message,
      fieldViolations: rich.fieldViolations,
      metadata: { current_etag: "abc" },
      retryAfterMs: 1500,
    });
    expect(error.cause).toBeUndefined();
  });

  it.each(["break", "wrong type"])("says nothing of a fault of ours (%s)", async (value) => {
    const call = mesh.client(TestService).echo({ value }, { headers: bearer(mesh) });
    await expect(call).rejects.toMatchObject({
      code: Code.INTERNAL,
      reason: ErrorReason.INTERNAL,
      message: "internal error",
    });
  });

  it("takes over the request id and the token of the call that it is made for", async () => {
    const client = mesh.client(TestService);
    await client.echo({ value: "a" }, { headers: { ...bearer(mesh, { sub: "u-1" }), "x-request-id": "request-1" } });
    const outer = last;
    await client.echo({ value: "b" }, { call: outer });
    expect(last).not.toBe(outer);
    expect(last.requestId).toBe("request-1");
    expect(last.caller).toMatchObject({ kind: "user", userId: "u-1", via: "gateway" });
    await mesh.client(TestService, "task").forTask({ value: "c" }, { call: outer });
    expect(last.caller).toEqual({ kind: "service", name: "task" });
    expect(last.accessToken).toBe(outer.accessToken);
  });

  it("gives a request id to a call that has none or one that is not acceptable", async () => {
    const client = mesh.client(TestService);
    await client.open({ value: "a" }, { headers: { "x-request-id": "no good; id" } });
    expect(last.requestId).toMatch(/^[0-9a-f-]{36}$/);
  });

  it("says UNAVAILABLE, and no address, when nobody listens", async () => {
    const other = await startTestMesh([]);
    await other.lifecycle.stop();
    const error = await other
      .client(TestService)
      .open({ value: "a" })
      .catch((thrown) => thrown);
    expect(error).toMatchObject({ code: Code.UNAVAILABLE, reason: ErrorReason.UNAVAILABLE, retryAfterMs: 1000 });
    expect(error.message).not.toMatch(/127|ECONN/);
    other.channel.close();
    await expect(other.client(TestService).open({})).rejects.toMatchObject({ code: Code.UNAVAILABLE });
  });

  it("finds the server again once it is back", async () => {
    const first = await startTestMesh([service(TestService, impl)]);
    const client = first.client(TestService);
    await client.open({ value: "before" });
    await first.lifecycle.stop();
    await expect(client.open({ value: "away" })).rejects.toMatchObject({ code: Code.UNAVAILABLE });
    const second = await startTestMesh([service(TestService, impl)], { port: first.server.port });
    await vi.waitFor(async () => expect((await client.open({ value: "after" })).value).toBe("after"), 10_000);
    first.channel.close();
    await second.close();
  });

  it("goes through the chain that a test puts in place of the standard one, in its order", async () => {
    const order: string[] = [];
    const named = (name: string): ServerInterceptor => ({
      name,
      wrap: (next) => (call, request) => {
        order.push(name);
        return next(call, request);
      },
    });
    const names: string[] = [];
    const other = await startTestMesh([service(TestService, impl)], {
      interceptors: (standard) => {
        names.push(...standard.map(({ name }) => name));
        return [named("outer"), named("inner")];
      },
    });
    await other.client(TestService).withoutPolicy({ value: "a" });
    expect(order).toEqual(["outer", "inner"]);
    expect(names).toEqual(["trace", "log", "errors", "deadline", "authorize", "standing", "validate"]);
    await other.close();
  });

  it("says UNIMPLEMENTED for a service that the server does not have", async () => {
    const empty = await startTestMesh([]);
    const call = empty.client(TestService).open({ value: "a" });
    await expect(call).rejects.toMatchObject({ code: Code.UNIMPLEMENTED, reason: ErrorReason.UNKNOWN_METHOD });
    await empty.close();
  });

  it("refuses a message of more than 1 MiB", async () => {
    const call = mesh.client(TestService).open({ value: "x".repeat(1024 * 1024) });
    await expect(call).rejects.toMatchObject({ code: Code.RESOURCE_EXHAUSTED, reason: ErrorReason.MESSAGE_TOO_LARGE });
  });

  it("spreads over its connections", async () => {
    const client = createClient(TestService, mesh.channel, { identity: mesh.identities.gateway });
    const answers = await Promise.all(Array.from({ length: 300 }, (_, n) => client.open({ value: String(n) })));
    expect(answers.map(({ value }) => value)).toEqual(Array.from({ length: 300 }, (_, n) => String(n)));
  });
});

describe("a server stream", () => {
  it("brings every message in order, with headers and trailers", async () => {
    const seen: HeaderMap[] = [];
    const push = (headers: HeaderMap) => void seen.push(headers);
    const options = { headers: bearer(mesh), onHeader: push, onTrailer: push };
    const values = await collect(mesh.client(TestService).watch({ value: "500" }, options));
    expect(values).toEqual(Array.from({ length: 500 }, (_, n) => String(n)));
    expect(seen).toMatchObject([{ "x-served-by": "task-1" }, { "x-cost": "9" }]);
  });

  it("ends with the error of the handler after the messages before it", async () => {
    const values: string[] = [];
    const reading = (async () => {
      for await (const { value } of mesh.client(TestService).watch({ value: "3" }, { headers: bearer(mesh) })) {
        values.push(value.trim());
      }
    })();
    await expect(reading).rejects.toMatchObject({ reason: ErrorReason.ETAG_MISMATCH, metadata: rich.metadata });
    expect(values).toEqual(["0", "1", "2"]);
  });

  it("waits for a reader that is slow", async () => {
    const stream = mesh.client(TestService).watch({ value: "5000" }, { headers: bearer(mesh) });
    const reader = stream[Symbol.asyncIterator]();
    await reader.next();
    for (let turn = 0; turn < 1_000; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(produced).toBeLessThan(4_000);
    for (let n = 1; n < 5_000; n++) expect((await reader.next()).value?.value.trim()).toBe(String(n));
    expect((await reader.next()).done).toBe(true);
  });

  it("is refused without a token", async () => {
    await expect(collect(mesh.client(TestService).watch({ value: "1" }))).rejects.toMatchObject({
      code: Code.UNAUTHENTICATED,
    });
  });
});
