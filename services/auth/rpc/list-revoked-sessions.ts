import { durationMs } from "@bufbuild/protobuf/wkt";
import type { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import { invalidArgument } from "#kit/errors.ts";
import type { Unary } from "#kit/grpc/service.ts";
import type { AuthContext } from "../context.ts";
import { sessionsRevokedWithin } from "../db/session.repository.ts";

export const listRevokedSessions =
  ({ database, config }: AuthContext): Unary<typeof AuthService.method.listRevokedSessions> =>
  async (req, call) => {
    const longest = config.tokens.accessTtl;
    const within = req.within ? durationMs(req.within) / 1_000 : longest;
    if (within < 0) throw invalidArgument("within", "must not be negative");
    return { sessionIds: await sessionsRevokedWithin(database, Math.min(within, longest), call.signal) };
  };
