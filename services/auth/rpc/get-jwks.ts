import type { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import type { Unary } from "#kit/grpc/service.ts";
import type { AuthContext } from "../context.ts";
import { keysToProto } from "./convert.ts";

export const getJwks =
  ({ keys }: AuthContext): Unary<typeof AuthService.method.getJwks> =>
  async (_req, call) =>
    keysToProto(await keys.published(call.signal));
