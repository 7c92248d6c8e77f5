import type { UserService } from "#gen/user/v1/user_service_pb.js";
import type { ServiceImpl } from "#kit/grpc/service.ts";
import type { UserContext } from "../context.ts";
import { batchGetUsers } from "./batch-get-users.ts";
import { createUser } from "./create-user.ts";
import { getMe } from "./get-me.ts";
import { lookupUser } from "./lookup-user.ts";
import { updateMe } from "./update-me.ts";

export const rpc = (ctx: UserContext): ServiceImpl<typeof UserService> => ({
  getMe: getMe(ctx),
  updateMe: updateMe(ctx),
  lookupUser: lookupUser(ctx),
  batchGetUsers: batchGetUsers(ctx),
  createUser: createUser(ctx),
});
