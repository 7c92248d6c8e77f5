import type { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import type { ServiceImpl } from "#kit/grpc/service.ts";
import type { AuthContext } from "../context.ts";
import { createApiKey } from "./create-api-key.ts";
import { exchangeApiKey } from "./exchange-api-key.ts";
import { getJwks } from "./get-jwks.ts";
import { listApiKeys } from "./list-api-keys.ts";
import { listRevokedSessions } from "./list-revoked-sessions.ts";
import { login } from "./login.ts";
import { logout } from "./logout.ts";
import { refreshToken } from "./refresh-token.ts";
import { register } from "./register.ts";
import { revokeApiKey } from "./revoke-api-key.ts";
import { setTier } from "./set-tier.ts";

export const rpc = (ctx: AuthContext): ServiceImpl<typeof AuthService> => ({
  register: register(ctx),
  login: login(ctx),
  refreshToken: refreshToken(ctx),
  logout: logout(ctx),
  createApiKey: createApiKey(ctx),
  listApiKeys: listApiKeys(ctx),
  revokeApiKey: revokeApiKey(ctx),
  exchangeApiKey: exchangeApiKey(ctx),
  setTier: setTier(ctx),
  getJwks: getJwks(ctx),
  listRevokedSessions: listRevokedSessions(ctx),
});
