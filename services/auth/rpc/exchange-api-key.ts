import type { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import type { Unary } from "#kit/grpc/service.ts";
import { checkApiKey } from "../api-keys.ts";
import type { AuthContext } from "../context.ts";
import { touchApiKey } from "../db/api-key.repository.ts";
import { reportBackgroundFailure } from "../metrics.ts";
import { signAccessToken } from "../tokens/access-token.ts";

export const exchangeApiKey =
  (ctx: AuthContext): Unary<typeof AuthService.method.exchangeApiKey> =>
  async ({ key }, call) => {
    const { apiKeyId, userId, tier, scopes, expireTime, now } = await checkApiKey(ctx, key, call.signal);
    await touchApiKey(ctx.database, apiKeyId, call.signal).catch((error: unknown) =>
      reportBackgroundFailure("note the use of an API key", error),
    );
    const { issuer, accessTtl } = ctx.config.tokens;
    const left = Math.ceil((expireTime.getTime() - now.getTime()) / 1_000);
    const ttl = Math.min(accessTtl, left);
    const claims = { issuer, userId, sessionId: apiKeyId, tier, apiKey: { keyId: apiKeyId, scopes } };
    const accessToken = signAccessToken({ ...claims, issueTime: ctx.clock.now(), ttl }, await ctx.keys.current());
    return { accessToken, expiresIn: ttl };
  };
