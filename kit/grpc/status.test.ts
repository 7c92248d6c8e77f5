import { create, toBinary } from "@bufbuild/protobuf";
import { Metadata, status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { StatusSchema } from "#gen/google/rpc/status_pb.js";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { Code, codeOfReason, internal, invalidFields, notFound, ServiceError } from "../errors.ts";
import { fromStatus, isOrdinaryAnswer, toStatus } from "./status.ts";
import { endOf } from "./testing.ts";

const reasons = Object.keys(codeOfReason).map((reason) => Number(reason) as ErrorReason);
const foreign = (code: number, details = "connect ECONNREFUSED 10.0.0.1:9000", metadata = new Metadata()) =>
  fromStatus(endOf({ code, details, metadata }));

describe("a status", () => {
  it.each(reasons.map((reason) => [ErrorReason[reason], reason] as const))("brings %s over", (_name, reason) => {
    const error = new ServiceError({ reason, message: "why" });
    expect(fromStatus(endOf(toStatus(error)))).toMatchObject({ code: codeOfReason[reason], reason, message: "why" });
  });

  it("has its details where others look for them, with our domain and the reason without its prefix", () => {
    const { metadata } = toStatus(notFound(ErrorReason.TASK_NOT_FOUND, "no such task"));
    const [bytes] = metadata.get("grpc-status-details-bin");
    expect(String(bytes)).toContain("type.googleapis.com/google.rpc.ErrorInfo");
    expect(String(bytes)).toContain("TASK_NOT_FOUND");
    expect(String(bytes)).toContain("taskmesh");
    expect(String(bytes)).not.toContain("ERROR_REASON_");
  });

  it("never carries the cause", () => {
    const { details, metadata } = toStatus(internal(new Error("password of the database")));
    expect(details).toBe("internal error");
    expect(String(metadata.get("grpc-status-details-bin")[0])).not.toContain("password");
  });

  it("stays small enough for the headers of proxies, whatever is wrong with a request", () => {
    const violations = Array.from({ length: 5000 }, (_, n) => ({ field: `items[${n}]`, description: "x".repeat(100) }));
    const { details, metadata } = toStatus(invalidFields(violations));
    expect(details.length).toBeLessThanOrEqual(1024);
    expect(metadata.get("grpc-status-details-bin")[0]?.length).toBeLessThan(30_000);
  });

  it("can be sent although its text is cut in the middle of a character", () => {
    const { details } = toStatus(new ServiceError({ reason: ErrorReason.INTERNAL, message: "\ud83d" }));
    expect(() => encodeURI(details)).not.toThrow();
  });

  it.each([
    [status.UNAVAILABLE, ErrorReason.UNAVAILABLE],
    [status.DEADLINE_EXCEEDED, ErrorReason.DEADLINE_EXCEEDED],
    [status.CANCELLED, ErrorReason.CANCELLED],
    [status.UNIMPLEMENTED, ErrorReason.UNKNOWN_METHOD],
    [status.RESOURCE_EXHAUSTED, ErrorReason.RATE_LIMITED],
    [status.UNAUTHENTICATED, ErrorReason.TOKEN_INVALID],
  ])("of a proxy (%i) keeps its code, and its text goes to the log only", (code, reason) => {
    const error = foreign(code);
    expect(error).toMatchObject({ code, reason });
    expect(error.message).not.toContain("10.0.0.1");
    expect(String(error.cause)).toContain("10.0.0.1");
  });

  it.each([status.UNKNOWN, status.DATA_LOSS, status.NOT_FOUND, 99])("that we never send (%i) is INTERNAL", (code) => {
    expect(foreign(code)).toMatchObject({ code: Code.INTERNAL, reason: ErrorReason.INTERNAL });
  });

  it("of a message that is too large says so", () => {
    const error = foreign(status.RESOURCE_EXHAUSTED, "Received message larger than max (2 vs. 1)");
    expect(error.reason).toBe(ErrorReason.MESSAGE_TOO_LARGE);
  });

  it("survives details that are broken, of another domain, or of a later version", () => {
    const metadata = new Metadata();
    metadata.set("grpc-status-details-bin", Buffer.from([0xff, 0xff]));
    expect(foreign(status.UNAVAILABLE, "x", metadata).reason).toBe(ErrorReason.UNAVAILABLE);
    const broken = create(StatusSchema, {
      details: [{ typeUrl: "type.googleapis.com/google.rpc.ErrorInfo", value: new Uint8Array([0xff]) }],
    });
    metadata.set("grpc-status-details-bin", Buffer.from(toBinary(StatusSchema, broken)));
    expect(foreign(status.UNAVAILABLE, "x", metadata).reason).toBe(ErrorReason.UNAVAILABLE);
    const later = toStatus(new ServiceError({ code: Code.ABORTED, reason: 9999 as ErrorReason, message: "new" }));
    expect(fromStatus(endOf(later))).toMatchObject({
      code: Code.ABORTED,
      reason: ErrorReason.UNSPECIFIED,
      message: "new",
    });
  });
});

describe("further details", () => {
  const over = (status: Parameters<typeof endOf>[0]) => fromStatus(endOf(status));
  const further = [{ typeUrl: "type.googleapis.com/google.rpc.Help", value: new Uint8Array([10, 0]) }];

  it("come over behind ours", () => {
    const error = new ServiceError({ reason: ErrorReason.TASK_STATE, message: "done", details: further });
    expect(over(toStatus(error))).toMatchObject({ reason: ErrorReason.TASK_STATE, message: "done", details: further });
  });

  it("may stand alone, and the words with them", () => {
    const options = { code: Code.NOT_FOUND, reason: ErrorReason.UNSPECIFIED, message: "elsewhere" };
    const error = new ServiceError({ ...options, details: further });
    expect(over(toStatus(error))).toMatchObject({ ...options, details: further });
    const bare = over(toStatus(new ServiceError({ ...options, details: [] })));
    expect(bare).toMatchObject({ ...options, details: [] });
  });

  it("of a status that says another code are not believed", () => {
    const status = toStatus(
      new ServiceError({ reason: ErrorReason.UNSPECIFIED, message: "10.0.0.1", details: further }),
    );
    expect(over({ ...status, code: Code.UNAVAILABLE }).message).not.toContain("10.0.0.1");
  });
});

describe("isOrdinaryAnswer", () => {
  it("tells what a caller did wrong from a fault of the server", () => {
    expect(isOrdinaryAnswer(notFound(ErrorReason.TASK_NOT_FOUND, "no"))).toBe(true);
    expect(isOrdinaryAnswer(internal(new Error("x")))).toBe(false);
    expect(isOrdinaryAnswer(new Error("x"))).toBe(false);
  });
});
