import { Metadata } from "@grpc/grpc-js";
import { describe, expect, it, vi } from "vitest";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { Code, notFound, unavailable } from "../../errors.ts";
import { cancelled, ServerCall } from "../server-call.ts";
import { TestService } from "../testing.ts";
import { errors } from "./errors.ts";

function answer(thrown: unknown, prepare: (call: ServerCall) => void = () => {}) {
  const error = vi.fn();
  const call = new ServerCall(TestService.method.echo, new Metadata(), Number.POSITIVE_INFINITY);
  prepare(call);
  const handle = errors({ error }).wrap(() => Promise.reject(thrown));
  return { logged: error, result: handle(call, { $typeName: "google.protobuf.StringValue" }) };
}

describe("errors", () => {
  it("leave as they are when they are answers, and without a line of their own", async () => {
    const thrown = notFound(ErrorReason.TASK_NOT_FOUND, "no such task");
    const { logged, result } = answer(thrown);
    await expect(result).rejects.toBe(thrown);
    expect(logged).not.toHaveBeenCalled();
  });

  it.each([new Error("secret"), "a text", undefined, null, { code: 5 }])(
    "that nobody foresaw are INTERNAL, and logged once in full: %s",
    async (thrown) => {
      const { logged, result } = answer(thrown);
      await expect(result).rejects.toMatchObject({ code: Code.INTERNAL, message: "internal error" });
      expect(logged).toHaveBeenCalledTimes(1);
      expect(logged.mock.calls[0]?.[0].error).toBe(thrown);
    },
  );

  it("with a cause are logged once with it", async () => {
    const thrown = unavailable("the database is away", new Error("connect ECONNREFUSED"));
    const { logged, result } = answer(thrown);
    await expect(result).rejects.toBe(thrown);
    expect(logged).toHaveBeenCalledTimes(1);
    expect(logged.mock.calls[0]?.[0].error).toBe(thrown);
  });

  it("of a handler that was told to give up are the reason why", async () => {
    const { logged, result } = answer(new Error("aborted"), (call) => call.abort(cancelled()));
    await expect(result).rejects.toMatchObject({ code: Code.CANCELLED });
    expect(logged).not.toHaveBeenCalled();
  });
});
