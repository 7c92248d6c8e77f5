import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { Code, type ServiceError } from "#kit/errors.ts";

/** The status of HTTP for each status of gRPC (google.rpc.Code). */
const statusOfCode = {
  [Code.CANCELLED]: 499,
  [Code.UNKNOWN]: 500,
  [Code.INVALID_ARGUMENT]: 400,
  [Code.DEADLINE_EXCEEDED]: 504,
  [Code.NOT_FOUND]: 404,
  [Code.ALREADY_EXISTS]: 409,
  [Code.PERMISSION_DENIED]: 403,
  [Code.RESOURCE_EXHAUSTED]: 429,
  [Code.FAILED_PRECONDITION]: 400,
  [Code.ABORTED]: 409,
  [Code.OUT_OF_RANGE]: 400,
  [Code.UNIMPLEMENTED]: 501,
  [Code.INTERNAL]: 500,
  [Code.UNAVAILABLE]: 503,
  [Code.DATA_LOSS]: 500,
  [Code.UNAUTHENTICATED]: 401,
} as const satisfies Record<Code, number>;

/** Where HTTP has a status that says it better. */
const statusOfReason: Partial<Record<ErrorReason, number>> = {
  [ErrorReason.ETAG_MISMATCH]: 412,
  [ErrorReason.ETAG_REQUIRED]: 428,
  [ErrorReason.IDEMPOTENCY_KEY_REUSED]: 422,
  [ErrorReason.MESSAGE_TOO_LARGE]: 413,
};

/** The HTTP status that an error is answered with by REST. */
export function httpStatus(error: ServiceError): number {
  return statusOfReason[error.reason] ?? statusOfCode[error.code] ?? 500;
}
