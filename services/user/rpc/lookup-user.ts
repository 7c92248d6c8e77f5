import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import type { UserService } from "#gen/user/v1/user_service_pb.js";
import { notFound } from "#kit/errors.ts";
import type { Unary } from "#kit/grpc/service.ts";
import type { UserContext } from "../context.ts";
import { profileByEmail } from "../db/profile.repository.ts";
import { emailKey } from "../domain/email.ts";
import { summaryToProto } from "./convert.ts";

export const lookupUser =
  ({ database }: UserContext): Unary<typeof UserService.method.lookupUser> =>
  async ({ email }, { signal }) => {
    const profile = await profileByEmail(database, emailKey(email), signal);
    if (profile === undefined) throw notFound(ErrorReason.USER_NOT_FOUND, "nobody has this mail address");
    return { user: summaryToProto(profile) };
  };
