import type { Message } from "@bufbuild/protobuf";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { ServiceError } from "../../errors.ts";
import { etagIn, etagPlace } from "../precondition.ts";
import type { ServerInterceptor } from "./interceptor.ts";

/** What a service adds to its chain: in the mode "required" a change must say which version it was made from. */
export function etagInterceptors(mode: "advisory" | "required"): ServerInterceptor[] {
  return mode === "required" ? [requireEtag] : [];
}

// RFC 6585, section 3: no blind changes. If-Match: * says that any version will do.
const requireEtag: ServerInterceptor = {
  name: "require-etag",
  wrap: (next) => async (call, request) => {
    const place = etagPlace(call.method);
    if (place.length > 0 && call.header("if-match") === undefined && etagIn(call.method, request as Message) === "") {
      throw etagRequired(place.map(({ name }) => name).join("."));
    }
    return next(call, request);
  },
};

function etagRequired(field: string): ServiceError {
  const description = "must be the etag that was read before, here or in If-Match";
  return new ServiceError({
    reason: ErrorReason.ETAG_REQUIRED,
    message: `${field}: ${description}`,
    fieldViolations: [{ field, description }],
  });
}
