import { Metadata } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { Code, notFound, ServiceError } from "../../errors.ts";
import { ServerCall } from "../server-call.ts";
import type { Caller } from "../service.ts";
import { TestService } from "../testing.ts";
import type { Handle } from "./interceptor.ts";
import { log } from "./log.ts";

const secret = "the title of a task";

async function linesOf(next: Handle, caller: Caller, headers: Record<string, string> = {}) {
  const lines: { level: string; fields: Record<string, unknown>; message: string }[] = [];
  const note = (level: string) => (fields: Record<string, unknown>, message: string) =>
    void lines.push({ level, fields, message });
  const metadata = new Metadata();
  for (const [name, value] of Object.entries({ authorization: `Bearer ${secret}`, ...headers })) {
    metadata.set(name, value);
  }
  const call = new ServerCall(TestService.method.echo, metadata, Number.POSITIVE_INFINITY);
  call.caller = caller;
  call.accessToken = secret;
  const request = { $typeName: "google.protobuf.StringValue", value: secret };
  await log({ debug: note("debug"), info: note("info"), warn: note("warn"), error: note("error") })
    .wrap(next)(call, request)
    .catch(() => {});
  expect(JSON.stringify(lines)).not.toContain(secret);
  return lines;
}

const user: Caller = { kind: "user", userId: "u-1", sessionId: "s-1" };

describe("the log of calls", () => {
  it("has one line for each, with method, status, duration and caller, and nothing of what was said", async () => {
    const lines = await linesOf(async () => Buffer.from(secret), user, { "x-request-id": "request-1" });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({
      level: "info",
      fields: {
        "rpc.method": "mesh.test.v1.TestService/Echo",
        "rpc.response.status_code": "OK",
        "taskmesh.request.id": "request-1",
        "taskmesh.caller.kind": "user",
        "taskmesh.user.id": "u-1",
        duration_ms: expect.any(Number),
      },
    });
  });

  it.each([
    [Code.INTERNAL, "error"],
    [Code.UNAVAILABLE, "warn"],
    [Code.DEADLINE_EXCEEDED, "warn"],
    [Code.NOT_FOUND, "info"],
  ])("tells an answer with code %i at the level %s", async (code, level) => {
    const error = new ServiceError({ code, reason: ErrorReason.UNSPECIFIED, message: secret });
    expect((await linesOf(() => Promise.reject(error), user))[0]?.level).toBe(level);
  });

  it("names the status and the reason of an error", async () => {
    const fail = () => Promise.reject(notFound(ErrorReason.TASK_NOT_FOUND, secret));
    const [line] = await linesOf(fail, { kind: "service", name: "task" });
    expect(line?.fields).toMatchObject({
      "rpc.response.status_code": "NOT_FOUND",
      "taskmesh.reason": "TASK_NOT_FOUND",
      "taskmesh.caller.name": "task",
    });
  });

  it("is quiet only about what services ask again and again, and only while it goes well", async () => {
    const headers = { "x-mesh-background": "true" };
    const well: Handle = async () => undefined;
    const badly: Handle = () => Promise.reject(new Error("broken"));
    const service: Caller = { kind: "service", name: "task" };
    expect((await linesOf(well, service, headers))[0]?.level).toBe("debug");
    expect((await linesOf(badly, service, headers))[0]?.level).toBe("error");
    expect((await linesOf(well, user, headers))[0]?.level).toBe("info");
    expect((await linesOf(well, { kind: "anonymous" }, headers))[0]?.level).toBe("info");
  });
});
