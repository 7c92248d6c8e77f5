import type { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { ServiceError, unauthenticated } from "#kit/errors.ts";
import type { Unary } from "#kit/grpc/service.ts";
import type { AuthContext } from "../context.ts";
import { type Credentials, findAccount } from "../credentials.ts";
import { type AccountCredentials, recordLogin } from "../db/account.repository.ts";
import { emailKey } from "../domain/email.ts";
import { reportLogin } from "../metrics.ts";
import { formatHash, type PasswordHash } from "../passwords/argon2.ts";
import { profileOf } from "../profiles.ts";
import { openSession } from "../sessions.ts";
import { Throttle } from "../throttle.ts";
import { signedIn } from "./convert.ts";

export const login =
  (ctx: AuthContext): Unary<typeof AuthService.method.login> =>
  async ({ email, password }, call) => {
    const { signal } = call;
    const credentials = { emailKey: emailKey(email), password };
    const throttle = new Throttle(ctx.database, call, { scope: "login", emailKey: credentials.emailKey });
    // Apart, because a failure has to stay counted when a keyed call is rolled back.
    const { account, fresh, user } = await ctx.database.apart(async () => {
      const checked = await check(ctx, credentials, { throttle, signal });
      return { ...checked, user: await profileOf(ctx, checked.account, call) };
    });
    const session = await ctx.database.transactional(
      async (em) => {
        await throttle.forgive(em, account.userId);
        await recordLogin(em, account, formatHash(fresh));
        return openSession(ctx, em, account.userId);
      },
      { signal },
    );
    reportLogin("accepted", account.userId);
    return signedIn(ctx, session, { user, tier: account.tier });
  };

/** The account that the credentials belong to. Throws CREDENTIALS_INVALID. */
async function check(
  ctx: AuthContext,
  credentials: Credentials,
  { throttle, signal }: { throttle: Throttle; signal: AbortSignal },
): Promise<{ account: AccountCredentials; fresh: PasswordHash }> {
  await counted(throttle.check());
  const fresh = await ctx.hasher.hash(credentials.password, credentials.emailKey, signal);
  const { account } = await findAccount(ctx, credentials, fresh, signal);
  // Once more: others may have failed while this one was hashed.
  const mayTry = await counted(throttle.check(account?.userId));
  if (account !== undefined && mayTry) return { account, fresh };
  await throttle.count();
  reportLogin("refused");
  throw unauthenticated(ErrorReason.CREDENTIALS_INVALID, "the mail address and the password do not belong together");
}

async function counted<T>(check: Promise<T>): Promise<T> {
  try {
    return await check;
  } catch (error) {
    if (error instanceof ServiceError && error.reason === ErrorReason.RATE_LIMITED) reportLogin("throttled");
    throw error;
  }
}
