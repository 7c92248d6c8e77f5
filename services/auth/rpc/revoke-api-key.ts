import type { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import type { Unary } from "#kit/grpc/service.ts";
import { revokeApiKey as revoke } from "../api-keys.ts";
import type { AuthContext } from "../context.ts";
import { reportApiKey } from "../metrics.ts";
import { requireSession } from "../sessions.ts";

export const revokeApiKey =
  (ctx: AuthContext): Unary<typeof AuthService.method.revokeApiKey> =>
  async ({ apiKeyId }, call) => {
    const { userId } = await requireSession(ctx, call);
    if (await revoke(ctx, userId, apiKeyId)) reportApiKey("revoked", userId, apiKeyId);
    return {};
  };
