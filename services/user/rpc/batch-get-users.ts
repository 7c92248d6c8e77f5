import type { UserService } from "#gen/user/v1/user_service_pb.js";
import type { Unary } from "#kit/grpc/service.ts";
import type { UserContext } from "../context.ts";
import { profilesByIds } from "../db/profile.repository.ts";
import { userToProto } from "./convert.ts";

export const batchGetUsers =
  ({ database }: UserContext): Unary<typeof UserService.method.batchGetUsers> =>
  async ({ userIds }, { signal }) => {
    const profiles = await profilesByIds(database, userIds, signal);
    return { users: profiles.map(userToProto) };
  };
