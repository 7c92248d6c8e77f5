import type { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import type { ServiceImpl } from "#kit/grpc/service.ts";
import type { AuthContext } from "../context.ts";
import { getJwks } from "./get-jwks.ts";
import { listRevokedSessions } from "./list-revoked-sessions.ts";
import { login } from "./login.ts";
import { logout } from "./logout.ts";
import { refreshToken } from "./refresh-token.ts";
import { register } from "./register.ts";

export const rpc = (ctx: AuthContext): ServiceImpl<typeof AuthService> => ({
  register: register(ctx),
  login: login(ctx),
  refreshToken: refreshToken(ctx),
  logout: logout(ctx),
  getJwks: getJwks(ctx),
  listRevokedSessions: listRevokedSessions(ctx),
});
