import type { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import { invalidArgument } from "#kit/errors.ts";
import type { Unary } from "#kit/grpc/service.ts";
import type { AuthContext } from "../context.ts";
import { emailKey } from "../domain/email.ts";
import { passwordFault } from "../domain/password-rules.ts";
import { reportRegistration } from "../metrics.ts";
import { profileOf } from "../profiles.ts";
import { registerAccount } from "../registration.ts";
import { openSession } from "../sessions.ts";
import { Throttle } from "../throttle.ts";
import { signedIn } from "./convert.ts";

/**
 * Who registers again with the same address and password is signed in to the account that is there: a client whose
 * first answer got lost, or whose profile could not be made then, gets in by trying again.
 */
export const register =
  (ctx: AuthContext): Unary<typeof AuthService.method.register> =>
  async ({ email, password, displayName }, call) => {
    const { signal } = call;
    const fault = passwordFault(password, email);
    if (fault !== undefined) throw invalidArgument("password", fault);
    const credentials = { emailKey: emailKey(email), password };
    const throttle = new Throttle(ctx.database, call, { scope: "register", emailKey: credentials.emailKey });
    // Apart, because the account has to be there before its profile is, whatever becomes of a keyed call after that.
    const { account, user } = await ctx.database.apart(async () => {
      await throttle.check();
      const fresh = await ctx.hasher.hash(password, credentials.emailKey, signal);
      await throttle.check();
      const registration = { ...credentials, email, displayName: displayName.trim(), fresh };
      const { account, isNew } = await registerAccount(ctx, registration, signal);
      if (isNew) {
        await throttle.count();
        reportRegistration(account.userId);
      }
      return { account, user: await profileOf(ctx, account, call) };
    });
    const session = await ctx.database.transactional((em) => openSession(ctx, em, account.userId), { signal });
    return signedIn(ctx, session, { user, tier: account.tier });
  };
