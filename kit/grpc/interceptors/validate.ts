import { create, type DescMessage, type Message } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { type FieldViolation, internal, invalidFields, ServiceError } from "../../errors.ts";
import { MalformedMessage } from "../definition.ts";
import type { ServerInterceptor } from "./interceptor.ts";

const patterns = new Map<string, RegExp>();
// Patterns come from our protos only, and the engine of Node matches them ten times as fast as RE2 in JavaScript.
const validator = createValidator({
  regexMatch: (pattern, text) => {
    const compiled = patterns.get(pattern) ?? new RegExp(pattern, "u");
    patterns.set(pattern, compiled);
    return compiled.test(text);
  },
});

/** Refuses a request that breaks a rule of its proto (buf.validate), with every field that does. */
export const validate: ServerInterceptor = {
  name: "validate",
  wrap: (next) => async (call, request) => {
    if (request instanceof MalformedMessage) throw malformed();
    const violations = violationsOf(call.method.input, request);
    if (violations.length > 0) throw invalidFields(violations);
    return next(call, request);
  },
};

/** Builds the rules of a message ahead of the first call. Throws when a rule in the proto is wrong. */
export function prepareValidation(desc: DescMessage): void {
  violationsOf(desc, create(desc));
}

function violationsOf(desc: DescMessage, message: Message): FieldViolation[] {
  const result = validator.validate(desc, message);
  if (result.kind === "valid") return [];
  if (result.kind === "error") throw internal(result.error);
  return result.violations.map(({ field, message: description }) => ({ field: pathToString(field), description }));
}

function malformed(): ServiceError {
  return new ServiceError({ reason: ErrorReason.INVALID_FIELD, message: "the request is no message of its type" });
}
