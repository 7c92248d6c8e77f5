import type { UserService } from "#gen/user/v1/user_service_pb.js";
import { isUniqueViolation } from "#kit/db/errors.ts";
import type { Unary } from "#kit/grpc/service.ts";
import type { UserContext } from "../context.ts";
import { addProfile, profileById } from "../db/profile.repository.ts";
import { emailKey } from "../domain/email.ts";
import { defaultsFor } from "../domain/profile.ts";
import { userCreated } from "../events.ts";
import { reportUserCreated } from "../metrics.ts";
import { userToProto } from "./convert.ts";

/** The first call makes the profile; every later one answers with what it has become. */
export const createUser =
  (ctx: UserContext): Unary<typeof UserService.method.createUser> =>
  async ({ userId, email, displayName, discoverable }, { signal }) => {
    const existing = await profileById(ctx.database, userId, signal);
    if (existing) return { user: userToProto(existing) };
    const now = new Date();
    const profile = {
      ...defaultsFor(email),
      userId,
      email,
      emailKey: emailKey(email),
      displayName,
      discoverable,
      revision: 1n,
      createTime: now,
      updateTime: now,
    };
    try {
      await ctx.database.transactional(
        async (em) => {
          await addProfile(em, profile);
          await userCreated(em, profile);
        },
        { signal },
      );
    } catch (error) {
      const winner = isUniqueViolation(error, "profile_pkey") && (await profileById(ctx.database, userId, signal));
      if (!winner) throw error;
      return { user: userToProto(winner) };
    }
    reportUserCreated(userId);
    return { user: userToProto(profile) };
  };
