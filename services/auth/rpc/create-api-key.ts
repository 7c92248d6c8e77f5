import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import type { Unary } from "#kit/grpc/service.ts";
import { createApiKey as create } from "../api-keys.ts";
import type { AuthContext } from "../context.ts";
import { reportApiKey } from "../metrics.ts";
import { requireSession } from "../sessions.ts";
import { apiKeyToProto } from "./convert.ts";

export const createApiKey =
  (ctx: AuthContext): Unary<typeof AuthService.method.createApiKey> =>
  async ({ name, scopes, expireTime }, call) => {
    const { userId } = await requireSession(ctx, call);
    const wish = { userId, name, scopes, expireTime: expireTime && timestampDate(expireTime) };
    const { apiKey, key } = await create(ctx, wish, call.signal);
    reportApiKey("made", userId, apiKey.apiKeyId);
    return { apiKey: apiKeyToProto(apiKey), key };
  };
