import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import type { User } from "#gen/user/v1/user_pb.js";
import { ServiceError, unavailable } from "#kit/errors.ts";
import type { CallContext } from "#kit/grpc/service.ts";
import type { AuthContext } from "./context.ts";
import { type AccountCredentials, markProfileCreated } from "./db/account.repository.ts";
import { nameFromEmail } from "./domain/email.ts";
import { reportProfileAway } from "./metrics.ts";

/** A profile, or as much of it as is known while the user service is away. */
export type KnownProfile = User | Pick<User, "userId" | "email">;

const readTimeoutMs = 1_000;

/**
 * The profile of an account; makes it if an earlier call could not. Throws UNAVAILABLE only when there is no profile yet
 * and it cannot be made now: the account stays, and the next sign-in tries again.
 */
export async function profileOf(
  ctx: AuthContext,
  account: AccountCredentials,
  call: CallContext,
): Promise<KnownProfile> {
  if (!account.profileCreated) return createProfile(ctx, account, call);
  try {
    const { users } = await ctx.users.batchGetUsers({ userIds: [account.userId] }, { call, timeoutMs: readTimeoutMs });
    return users[0] ?? (await createProfile(ctx, account, call));
  } catch (error) {
    if (!isAway(error)) throw error;
    reportProfileAway(error);
    return { userId: account.userId, email: account.email };
  }
}

async function createProfile(ctx: AuthContext, account: AccountCredentials, call: CallContext): Promise<User> {
  const { userId, email, ownsEmail } = account;
  const displayName = account.displayName ?? nameFromEmail(email);
  const { user } = await ctx.users.createUser({ userId, email, displayName, discoverable: ownsEmail }, { call });
  if (user === undefined) throw unavailable("the profile could not be made just now");
  await markProfileCreated(ctx.database, userId, call.signal);
  return user;
}

function isAway(error: unknown): boolean {
  const reasons: ErrorReason[] = [ErrorReason.UNAVAILABLE, ErrorReason.DEADLINE_EXCEEDED];
  return error instanceof ServiceError && reasons.includes(error.reason);
}
