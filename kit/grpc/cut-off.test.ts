import { once } from "node:events";
import { constants, createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { create, toBinary } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { expect, it, vi } from "vitest";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { testIdentities } from "../auth/testing.ts";
import { Code } from "../errors.ts";
import { createClient, MeshChannel } from "./client.ts";
import { frameOf } from "./message-frames.ts";
import { TestService } from "./testing.ts";

it.each([constants.NGHTTP2_INTERNAL_ERROR, constants.NGHTTP2_NO_ERROR])(
  "a stream that the proxy cuts off with code %i, since its instance is gone, may be opened again at once",
  async (code) => {
    const proxy = createServer((_request, response) => {
      response.writeHead(200, { "content-type": "application/grpc" });
      const message = Buffer.from(toBinary(StringValueSchema, create(StringValueSchema, { value: "first" })));
      response.write(frameOf(message), () => response.stream.close(code));
    }).listen(0, "127.0.0.1");
    await once(proxy, "listening");
    const channel = new MeshChannel(`127.0.0.1:${(proxy.address() as AddressInfo).port}`);
    const client = createClient(TestService, channel, { identity: testIdentities(["gateway"]).gateway });
    const values: string[] = [];
    const read = async () => {
      for await (const { value } of client.watch({ value: "" })) values.push(value);
    };
    await expect(read()).rejects.toMatchObject({
      code: Code.UNAVAILABLE,
      reason: ErrorReason.UNAVAILABLE,
      retryAfterMs: 0,
    });
    expect(values).toEqual(["first"]);
    channel.close();
    proxy.close();
  },
);

it("a call that is cut off when its time is over has ended by that, though its own timer is late", async () => {
  const proxy = createServer((_request, response) => {
    vi.spyOn(Date, "now").mockReturnValue(Date.now() + 60_000);
    response.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }).listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const channel = new MeshChannel(`127.0.0.1:${(proxy.address() as AddressInfo).port}`);
  const client = createClient(TestService, channel, { identity: testIdentities(["gateway"]).gateway });
  try {
    const call = client.echo({ value: "" }, { timeoutMs: 60_000 });
    await expect(call).rejects.toMatchObject({ code: Code.DEADLINE_EXCEEDED });
  } finally {
    vi.restoreAllMocks();
    channel.close();
    proxy.close();
  }
});
