import { describe, expect, test } from "vitest";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { Code, codeOfReason, internal, ServiceError, unavailable } from "#kit/errors.ts";
import { TranscodingError } from "../transcoding/errors.ts";
import { asServiceError, TokenMissingError } from "./edge-error.ts";
import { httpStatus } from "./http-status.ts";
import { errorHeaders, problemOf } from "./problem.ts";

const place = { requestId: "r-1", traceId: undefined };
const of = (reason: ErrorReason, extra: object = {}) => new ServiceError({ reason, message: "m", ...extra });

describe("httpStatus", () => {
  test.each([
    [Code.CANCELLED, 499],
    [Code.UNKNOWN, 500],
    [Code.INVALID_ARGUMENT, 400],
    [Code.DEADLINE_EXCEEDED, 504],
    [Code.NOT_FOUND, 404],
    [Code.ALREADY_EXISTS, 409],
    [Code.PERMISSION_DENIED, 403],
    [Code.RESOURCE_EXHAUSTED, 429],
    [Code.FAILED_PRECONDITION, 400],
    [Code.ABORTED, 409],
    [Code.OUT_OF_RANGE, 400],
    [Code.UNIMPLEMENTED, 501],
    [Code.INTERNAL, 500],
    [Code.UNAVAILABLE, 503],
    [Code.DATA_LOSS, 500],
    [Code.UNAUTHENTICATED, 401],
  ])("code %i is %i", (code, status) => {
    expect(httpStatus(of(ErrorReason.UNSPECIFIED, { code }))).toBe(status);
  });

  test("some reasons have a status that says more", () => {
    expect(httpStatus(of(ErrorReason.ETAG_MISMATCH))).toBe(412);
    expect(httpStatus(of(ErrorReason.IDEMPOTENCY_KEY_REUSED))).toBe(422);
    expect(httpStatus(of(ErrorReason.IDEMPOTENCY_KEY_IN_FLIGHT))).toBe(409);
    expect(httpStatus(of(ErrorReason.MESSAGE_TOO_LARGE))).toBe(413);
  });

  test("every reason has a status of 4xx, but for what is our fault", () => {
    const ours = Object.keys(codeOfReason)
      .map((reason) => of(Number(reason) as ErrorReason))
      .filter((error) => httpStatus(error) >= 500)
      .map(({ reason }) => ErrorReason[reason]);
    expect(ours).toEqual(["UNSPECIFIED", "UNAVAILABLE", "DEADLINE_EXCEEDED", "UNKNOWN_METHOD", "INTERNAL"]);
  });
});

describe("problemOf", () => {
  test("leaves out what there is nothing of", () => {
    expect(problemOf(of(ErrorReason.TASK_NOT_FOUND), place)).toEqual({
      type: "about:blank",
      title: "Not Found",
      status: 404,
      detail: "m",
      code: "NOT_FOUND",
      reason: "TASK_NOT_FOUND",
      requestId: "r-1",
    });
  });

  test("has fields, metadata and the trace when there are some", () => {
    const error = of(ErrorReason.INVALID_FIELD, {
      fieldViolations: [
        { field: "a.b", description: "must be c" },
        { field: "", description: "must be an object" },
      ],
      metadata: { k: "v" },
    });
    expect(problemOf(error, { ...place, traceId: "t" })).toMatchObject({
      detail: "a.b: must be c; the body: must be an object",
      fieldViolations: [
        { field: "a.b", description: "must be c" },
        { field: "", description: "must be an object" },
      ],
      metadata: { k: "v" },
      traceId: "t",
    });
  });
});

describe("errorHeaders", () => {
  test("Retry-After is in whole seconds and at least one", () => {
    expect(errorHeaders(unavailable("m", undefined, 1))).toEqual({ "retry-after": "1" });
    expect(errorHeaders(unavailable("m", undefined, 1001))).toEqual({ "retry-after": "2" });
  });

  test("a refused token is named, a missing one is asked for", () => {
    expect(errorHeaders(new TokenMissingError())).toEqual({ "www-authenticate": 'Bearer realm="taskmesh"' });
    expect(errorHeaders(of(ErrorReason.CREDENTIALS_INVALID))).toEqual({
      "www-authenticate": 'Bearer realm="taskmesh"',
    });
    const refused = of(ErrorReason.TOKEN_EXPIRED, { message: 'it "has\r\n expired\u00fc' });
    expect(errorHeaders(refused)).toEqual({
      "www-authenticate": 'Bearer realm="taskmesh", error="invalid_token", error_description="it has expired"',
    });
  });
});

describe("asServiceError", () => {
  test("what is no error of ours becomes INTERNAL in neutral words", () => {
    for (const thrown of [new Error("10.0.0.7"), "10.0.0.7", of(ErrorReason.INTERNAL, { message: "10.0.0.7" })]) {
      expect(asServiceError(thrown)).toMatchObject({ code: Code.INTERNAL, message: "internal error" });
    }
    const known = internal("x");
    expect(asServiceError(known)).toBe(known);
  });

  test("faults of transcoding are INVALID_ARGUMENT with their fields", () => {
    expect(asServiceError(TranscodingError.field("task.x", "is not a known field"))).toMatchObject({
      code: Code.INVALID_ARGUMENT,
      reason: ErrorReason.INVALID_FIELD,
      fieldViolations: [{ field: "task.x", description: "is not a known field" }],
    });
  });
});
