import type { ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "#gen/google/rpc/error_details_pb.js";
import { ServiceError } from "#kit/errors.ts";
import { logger } from "#observability/logger.ts";
import type { GatewayContext } from "../context.ts";
import { toConnectError } from "../errors/connect-error.ts";
import { asServiceError, HttpError, isFault } from "../errors/edge-error.ts";

const log = logger("gateway");
const reasonType = ErrorInfoSchema.typeName;

/** What a call is answered with when it fails. A fault of ours is logged, and told in neutral words. */
export function connectErrorOf(thrown: unknown, { openness }: Pick<GatewayContext, "openness">): ConnectError {
  const known = thrown instanceof HttpError ? thrown.error : thrown;
  const serviceError = openness.bareErrors && known instanceof ServiceError ? known : asServiceError(known);
  if (isFault(serviceError)) log.error({ error: serviceError.cause ?? serviceError }, "call failed");
  const error = toConnectError(serviceError);
  if (openness.bareErrors)
    error.details = error.details.filter((detail) => !("type" in detail) || detail.type !== reasonType);
  return error;
}
