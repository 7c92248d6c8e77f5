import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { ServiceError } from "../../errors.ts";
import { MalformedMessage } from "../definition.ts";
import { mustBeValid } from "../validation.ts";
import type { ServerInterceptor } from "./interceptor.ts";

/** Refuses a request that breaks a rule of its proto (buf.validate), with every field that does. */
export const validate: ServerInterceptor = {
  name: "validate",
  wrap: (next) => async (call, request) => {
    if (request instanceof MalformedMessage) throw malformed();
    mustBeValid(call.method.input, request);
    return next(call, request);
  },
};

function malformed(): ServiceError {
  return new ServiceError({ reason: ErrorReason.INVALID_FIELD, message: "the request is no message of its type" });
}
