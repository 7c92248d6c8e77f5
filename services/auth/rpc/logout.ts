import type { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { unauthenticated } from "#kit/errors.ts";
import type { Unary } from "#kit/grpc/service.ts";
import type { AuthContext } from "../context.ts";
import { reportLogout } from "../metrics.ts";
import { revokeSession } from "../sessions.ts";

/** The same answer however often it is asked: a session that is over stays over. */
export const logout =
  (ctx: AuthContext): Unary<typeof AuthService.method.logout> =>
  async (_req, { caller }) => {
    if (caller.kind !== "user") throw unauthenticated(ErrorReason.TOKEN_INVALID, "an access token is needed");
    const { userId, sessionId } = caller;
    if (await revokeSession(ctx, { userId, sessionId }, "logout")) reportLogout(userId);
    return {};
  };
