import { describe, expect, it } from "vitest";
import { ErrorReason, ErrorReasonSchema } from "#gen/mesh/v1/error_reason_pb.js";
import { Code, codeName, codeOfReason, invalidFields, ServiceError } from "./errors.ts";

describe("ServiceError", () => {
  it("takes its status from the reason, as the comment of the reason in the proto file says", () => {
    for (const { name, number } of ErrorReasonSchema.values) {
      expect(codeOfReason[number as ErrorReason], name).toBeDefined();
    }
    expect(new ServiceError({ reason: ErrorReason.ETAG_MISMATCH, message: "changed" }).code).toBe(Code.ABORTED);
  });

  it("names every field in its message", () => {
    const error = invalidFields([
      { field: "task.title", description: "is missing" },
      { field: "task.due.date", description: "is no day" },
    ]);
    expect(error.message).toBe("task.title: is missing; task.due.date: is no day");
    expect(codeName(error.code)).toBe("INVALID_ARGUMENT");
  });
});
