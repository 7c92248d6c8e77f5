import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import type { UserService } from "#gen/user/v1/user_service_pb.js";
import { notFound } from "#kit/errors.ts";
import type { Unary } from "#kit/grpc/service.ts";
import type { UserContext } from "../context.ts";
import { profileById } from "../db/profile.repository.ts";
import { userToProto } from "./convert.ts";

export const getMe =
  ({ database }: UserContext): Unary<typeof UserService.method.getMe> =>
  async (_req, { userId, signal }) => {
    const profile = await profileById(database, userId, signal);
    if (profile === undefined) throw notFound(ErrorReason.USER_NOT_FOUND, "the caller has no profile; sign in again");
    return { user: userToProto(profile) };
  };
