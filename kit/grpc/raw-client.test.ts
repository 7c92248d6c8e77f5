import { create, type Message } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { Code, notFound } from "../errors.ts";
import { type Forwarder, forwarder } from "./raw-client.ts";
import { service } from "./server.ts";
import type { CallContext } from "./service.ts";
import { startTestMesh, type TestMesh, TestService, testImpl } from "./testing.ts";

const text = (value: string) => create(StringValueSchema, { value });
const textOf = (message: Message) => (message as ReturnType<typeof text>).value;
const { echo, watch } = TestService.method;

let mesh: TestMesh;
let forward: Forwarder;
let last: CallContext | undefined;
beforeAll(async () => {
  const methods = testImpl({
    echo: async ({ value }, call) => {
      if (value === "hang") return new Promise(() => {});
      last = call;
      call.responseHeader("x-head", "1");
      call.setTrailer("x-tail", "2");
      if (value === "missing") throw notFound(ErrorReason.TASK_NOT_FOUND, "no such task");
      return { value: `${value}!` };
    },
    watch: async function* ({ value }, call) {
      call.responseHeader("x-head", "1");
      call.setTrailer("x-tail", "2");
      if (value === "missing") throw notFound(ErrorReason.TASK_NOT_FOUND, "no such task");
      if (value !== "nothing") yield { value };
    },
  });
  mesh = await startTestMesh([service(TestService, methods)]);
  forward = forwarder({ channel: mesh.channel, identity: mesh.identities.gateway });
});
beforeEach(() => {
  last = undefined;
});
afterAll(() => mesh.close());

describe("forwarding by descriptor", () => {
  it("answers with message, headers and trailers", async () => {
    const accessToken = mesh.issuer.token({ sub: "u-1" });
    const options = { accessToken, requestId: "request-1", headers: { "x-own": "yes" }, timeoutMs: 1_000 };
    const { message, headers, trailers } = await forward.forwardUnary(echo, text("a"), options);
    expect(textOf(message)).toBe("a!");
    expect(headers).toMatchObject({ "x-head": "1" });
    expect(trailers).toMatchObject({ "x-tail": "2" });
    expect(last?.caller).toMatchObject({ userId: "u-1", via: "gateway" });
    expect(last?.requestId).toBe("request-1");
    expect(last?.header("x-own")).toBe("yes");
    expect((last?.deadline?.getTime() ?? Number.POSITIVE_INFINITY) - Date.now()).toBeLessThanOrEqual(1_000);
  });

  it("throws what the service threw", async () => {
    const call = forward.forwardUnary(echo, text("missing"), { accessToken: mesh.issuer.token() });
    await expect(call).rejects.toMatchObject({ code: Code.NOT_FOUND, reason: ErrorReason.TASK_NOT_FOUND });
  });

  it("tells of the headers and trailers of an error too", async () => {
    const accessToken = mesh.issuer.token();
    const onFailure = vi.fn();
    await expect(forward.forwardUnary(echo, text("missing"), { accessToken, onFailure })).rejects.toThrow();
    const [headers, trailers] = onFailure.mock.calls[0] ?? [];
    expect([headers, trailers]).toMatchObject([{ "x-head": "1" }, { "x-tail": "2" }]);
  });

  it.each(["missing", "nothing"])(
    "has the headers and trailers of a stream that sends no message: %s",
    async (value) => {
      const [onHeader, onTrailer] = [vi.fn(), vi.fn()];
      const stream = forward.forwardStream(watch, text(value), {
        accessToken: mesh.issuer.token(),
        onHeader,
        onTrailer,
      });
      await stream[Symbol.asyncIterator]()
        .next()
        .catch(() => {});
      expect(onHeader).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ "x-head": "1" }));
      expect(onTrailer).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ "x-tail": "2" }));
    },
  );

  it("ends with the signal", async () => {
    const controller = new AbortController();
    const call = forward.forwardUnary(echo, text("hang"), {
      accessToken: mesh.issuer.token(),
      signal: controller.signal,
    });
    controller.abort();
    await expect(call).rejects.toMatchObject({ code: Code.CANCELLED });
  });

  it("lets no header of a stranger take the place of ours", async () => {
    const headers = {
      authorization: `Bearer ${mesh.issuer.token({ sub: "somebody-else" })}`,
      "x-mesh-identity": mesh.identities.task.token(),
      "x-request-id": "theirs",
      "x-broken": "a\r\nb",
    };
    const accessToken = mesh.issuer.token({ sub: "u-1" });
    await forward.forwardUnary(echo, text("a"), { accessToken, requestId: "ours", headers });
    expect(last?.caller).toMatchObject({ userId: "u-1", via: "gateway" });
    expect(last?.requestId).toBe("ours");
    expect(last?.header("x-broken")).toBeUndefined();
  });

  it.each(["a b", "a\nb", "ü", ""])("refuses a token that cannot be one (%j) without a call", async (accessToken) => {
    await expect(forward.forwardUnary(echo, text("a"), { accessToken })).rejects.toMatchObject({
      reason: ErrorReason.TOKEN_INVALID,
    });
    expect(last).toBeUndefined();
  });

  it("streams", async () => {
    const values: string[] = [];
    for await (const message of forward.forwardStream(watch, text("a"), { accessToken: mesh.issuer.token() })) {
      values.push(textOf(message));
    }
    expect(values).toEqual(["a"]);
    const refused = forward.forwardStream(watch, text("a"))[Symbol.asyncIterator]();
    await expect(refused.next()).rejects.toMatchObject({ code: Code.UNAUTHENTICATED });
  });

  it("opens no stream for whoever has gone before it, and nothing of it is left unhandled", async () => {
    const signal = AbortSignal.abort();
    const stream = forward.forwardStream(watch, text("a"), { accessToken: mesh.issuer.token(), signal });
    await expect(stream[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: Code.CANCELLED });
  });
});
