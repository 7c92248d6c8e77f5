import type { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import type { Unary } from "#kit/grpc/service.ts";
import type { AuthContext } from "../context.ts";
import { listApiKeys as list } from "../db/api-key.repository.ts";
import { requireSession } from "../sessions.ts";
import { apiKeyToProto } from "./convert.ts";

export const listApiKeys =
  (ctx: AuthContext): Unary<typeof AuthService.method.listApiKeys> =>
  async (_req, call) => {
    const { userId } = await requireSession(ctx, call);
    const keys = await list(ctx.database, userId, call.signal);
    return { apiKeys: keys.map(apiKeyToProto) };
  };
