import { once } from "node:events";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { Code } from "../errors.ts";
import { type Client, createClient, MeshChannel } from "./client.ts";
import type { OutgoingStream } from "./outgoing-stream.ts";
import { service } from "./server.ts";
import type { CallContext } from "./service.ts";
import { fromStatus } from "./status.ts";
import { bearer, endOf, startTestMesh, strangersCall, type TestMesh, TestService, testImpl } from "./testing.ts";

const forever = () => new Promise<never>(() => {});
const timedOut = { code: Code.DEADLINE_EXCEEDED, reason: ErrorReason.DEADLINE_EXCEEDED };

/** Notes the deadline of each call that goes through it. */
class RecordingChannel extends MeshChannel {
  readonly #asked: number[];

  constructor(address: string, asked: number[]) {
    super(address);
    this.#asked = asked;
  }

  override start(stream: OutgoingStream): void {
    this.#asked.push(stream.deadlineMs);
    super.start(stream);
  }
}

let mesh: TestMesh;
let onward: Client<typeof TestService>;
const calls: CallContext[] = [];
const lastCall = () => calls.at(-1) as CallContext;
let started = Promise.withResolvers<void>();
let stopped = Promise.withResolvers<void>();

const impl = testImpl({
  brief: (_request, call) => {
    calls.push(call);
    return forever();
  },
  echo: async ({ value }, call) => {
    calls.push(call);
    if (value === "0") return { value };
    if (value === "hang") return forever();
    return onward.echo({ value: String(Number(value) - 1) }, { call });
  },
  open: async (_request, call) => {
    calls.push(call);
    started.resolve();
    await once(call.signal, "abort");
    stopped.resolve();
    throw new Error("gave up");
  },
  watch: async function* (_request, call) {
    calls.push(call);
    try {
      yield { value: "first" };
      await once(call.signal, "abort");
    } finally {
      stopped.resolve();
    }
  },
});

beforeAll(async () => {
  mesh = await startTestMesh([service(TestService, impl)]);
});
beforeEach(() => {
  calls.length = 0;
  started = Promise.withResolvers();
  stopped = Promise.withResolvers();
});
afterAll(() => mesh.close());

describe("a deadline", () => {
  it("is the policy's when the caller sets none, and answers for a handler that hangs", async () => {
    const before = Date.now();
    await expect(mesh.client(TestService).brief({}, { headers: bearer(mesh) })).rejects.toMatchObject(timedOut);
    // 150 ms by the policy; without it 2 s.
    expect(lastCall().deadline?.getTime()).toBeLessThan(before + 2_000);
    await vi.waitFor(() => expect(lastCall().signal.aborted).toBe(true), 5_000);
  });

  it("is kept by the server itself, with the reason in the details, when the caller gives much more time", async () => {
    const generous = await startTestMesh([service(TestService, impl)]);
    const headers = bearer(generous);
    const status = await strangersCall(generous.server.port, TestService.method.brief, { headers });
    const error = fromStatus(endOf(status));
    expect(error).toMatchObject(timedOut);
    // Without our details the text of the library would be the cause.
    expect(error.cause).toBeUndefined();
    await generous.close();
  });

  it("is what the caller asks for when that is sooner", async () => {
    const slow = mesh.client(TestService).echo({ value: "hang" }, { headers: bearer(mesh), timeoutMs: 50 });
    await expect(slow).rejects.toMatchObject(timedOut);
    await vi.waitFor(() => expect(lastCall().signal.aborted).toBe(true), 5_000);
  });

  it("shrinks by 20 ms with each hop", async () => {
    const asked: number[] = [];
    const recording = new RecordingChannel(mesh.channel.address, asked);
    onward = createClient(TestService, recording, { identity: mesh.identities.task });
    await mesh.client(TestService).echo({ value: "3" }, { headers: bearer(mesh), timeoutMs: 1_500 });
    const had = calls.map(({ deadline }) => deadline?.getTime() ?? 0);
    expect(had).toHaveLength(4);
    expect(asked).toEqual(had.slice(0, 3).map((deadline) => deadline - 20));
    recording.close();
  });

  it("fails at once, without a call, when less than 20 ms are left", async () => {
    await mesh.client(TestService).echo({ value: "0" }, { headers: bearer(mesh) });
    const call = { ...lastCall(), deadline: new Date(Date.now() + 19), signal: new AbortController().signal };
    const asked: number[] = [];
    const recording = new RecordingChannel(mesh.channel.address, asked);
    const client = createClient(TestService, recording, { identity: mesh.identities.task });
    await expect(client.echo({ value: "0" }, { call: call as CallContext })).rejects.toMatchObject(timedOut);
    expect(asked).toEqual([]);
    recording.close();
  });
});

describe("a cancelled call", () => {
  it("reaches the signal of the handler", async () => {
    const controller = new AbortController();
    const call = mesh.client(TestService).open({}, { signal: controller.signal });
    await started.promise;
    controller.abort();
    await expect(call).rejects.toMatchObject({ code: Code.CANCELLED, reason: ErrorReason.CANCELLED });
    await stopped.promise;
    expect(lastCall().signal.reason).toMatchObject({ code: Code.CANCELLED });
  });

  it("takes the calls along that were made for it", async () => {
    const outer = await startTestMesh([
      service(TestService, testImpl({ open: (_request, call) => mesh.client(TestService).open({}, { call }) })),
    ]);
    const controller = new AbortController();
    const call = outer.client(TestService).open({}, { signal: controller.signal });
    await started.promise;
    controller.abort();
    await expect(call).rejects.toMatchObject({ code: Code.CANCELLED });
    await stopped.promise;
    await outer.close();
  });

  it("is not made when the signal has aborted before", async () => {
    await expect(mesh.client(TestService).open({}, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: Code.CANCELLED,
    });
    expect(calls).toHaveLength(0);
  });

  it("tells a timeout of a signal from a cancellation", async () => {
    const call = mesh.client(TestService).open({}, { signal: AbortSignal.timeout(100) });
    await expect(call).rejects.toMatchObject(timedOut);
    await stopped.promise;
  });

  it("ends a stream whose reader leaves", async () => {
    for await (const { value } of mesh.client(TestService).watch({}, { headers: bearer(mesh) })) {
      expect(value).toBe("first");
      break;
    }
    await stopped.promise;
    expect(lastCall().signal.aborted).toBe(true);
  });

  it("ends a stream whose signal aborts", async () => {
    const controller = new AbortController();
    const reader = mesh
      .client(TestService)
      .watch({}, { headers: bearer(mesh), signal: controller.signal })
      [Symbol.asyncIterator]();
    await reader.next();
    const next = reader.next();
    controller.abort();
    await expect(next).rejects.toMatchObject({ code: Code.CANCELLED });
    await vi.waitFor(() => expect(lastCall().signal.aborted).toBe(true), 5_000);
  });
});
