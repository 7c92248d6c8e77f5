import type { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { type ServiceError, unauthenticated } from "#kit/errors.ts";
import type { Unary } from "#kit/grpc/service.ts";
import type { AuthContext } from "../context.ts";
import { accountOfToken } from "../db/account.repository.ts";
import { reportRefresh, reportTokenReuse } from "../metrics.ts";
import { profileOf } from "../profiles.ts";
import { revokeSession, useRefreshToken } from "../sessions.ts";
import { refreshTokenHash } from "../tokens/refresh-token.ts";
import { signedIn } from "./convert.ts";

export const refreshToken =
  (ctx: AuthContext): Unary<typeof AuthService.method.refreshToken> =>
  async (req, call) => {
    const { signal } = call;
    const account = await accountOfToken(ctx.database, refreshTokenHash(req.refreshToken), signal);
    if (account === undefined) throw refused();
    // Before the token is spent, so that a failure here leaves the caller with a good one.
    const user = await ctx.database.apart(() => profileOf(ctx, account, call));

    const use = await useRefreshToken(ctx, req.refreshToken, signal);
    reportRefresh(use.decision);
    if (use.decision === "reuse") {
      const { sessionId } = use;
      // Apart, because the session has to stay revoked although this call fails.
      const wasAlive = await ctx.database.apart(() => revokeSession(ctx, use, "reuse"));
      if (wasAlive) reportTokenReuse(use.userId, sessionId);
    }
    if (use.decision === "reuse" || use.decision === "refuse") throw refused();
    return signedIn(ctx, use.session, { user, tier: account.tier });
  };

/** One answer for all: it tells nothing about a token that is not the caller's. */
function refused(): ServiceError {
  return unauthenticated(ErrorReason.REFRESH_TOKEN_INVALID, "the refresh token is not valid; sign in again");
}
