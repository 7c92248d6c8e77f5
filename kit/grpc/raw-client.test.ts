import { create, type Message } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
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
      if (value === "missing") throw notFound(ErrorReason.TASK_NOT_FOUND, "no such task");
      call.responseHeader("x-head", "1");
      call.setTrailer("x-tail", "2");
      return { value: `${value}!` };
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
});
