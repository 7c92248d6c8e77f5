import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { isUniqueViolation } from "#kit/db/errors.ts";
import { ServiceError } from "#kit/errors.ts";
import { newId } from "#kit/id.ts";
import type { AuthContext } from "./context.ts";
import { type Credentials, findAccount } from "./credentials.ts";
import { type AccountCredentials, addAccount, lockOwner, unownedTwin } from "./db/account.repository.ts";
import { databaseTime } from "./db/time.ts";
import { isNoticeDue } from "./domain/account.ts";
import { accountRegistered, registrationAttempted } from "./events.ts";
import { formatHash, type PasswordHash } from "./passwords/argon2.ts";

export interface Registration extends Credentials {
  email: string;
  displayName: string;
  /** The password's hash. */
  fresh: PasswordHash;
}

export interface Registered {
  account: AccountCredentials;
  isNew: boolean;
}

/**
 * The account that these credentials belong to, made if there is none. A taken address gets an account of its own that
 * does not own it, and the owner is told; where the server reveals accounts it is ALREADY_EXISTS with EMAIL_TAKEN.
 */
export async function registerAccount(
  ctx: AuthContext,
  registration: Registration,
  signal: AbortSignal,
): Promise<Registered> {
  const find = () => findAccount(ctx, registration, registration.fresh, signal);
  const found = await find();
  if (found.account) return { account: found.account, isNew: false };
  if (!found.isTaken) {
    const owner = await addOwner(ctx, registration, signal);
    if (owner) return { account: owner, isNew: true };
    // Somebody was quicker; perhaps the same client, trying again.
    const winner = await find();
    if (winner.account) return { account: winner.account, isNew: false };
  }
  if (ctx.config.revealAccounts) {
    throw new ServiceError({ reason: ErrorReason.EMAIL_TAKEN, message: "the mail address has an account already" });
  }
  return addBesideOwner(ctx, registration, signal);
}

/** Undefined when the address has got an owner in the meantime. */
async function addOwner(
  ctx: AuthContext,
  registration: Registration,
  signal: AbortSignal,
): Promise<AccountCredentials | undefined> {
  try {
    return await ctx.database.transactional(
      async (em) => {
        const now = await databaseTime(em);
        const account = await addAccount(em, newAccount(registration, { ownsEmail: true, now }));
        await accountRegistered(em, account, { occurTime: now });
        return account;
      },
      { signal },
    );
  } catch (error) {
    if (isUniqueViolation(error, "account_owned_email")) return undefined;
    throw error;
  }
}

function addBesideOwner(ctx: AuthContext, registration: Registration, signal: AbortSignal): Promise<Registered> {
  const { emailKey, fresh } = registration;
  return ctx.database.transactional(
    async (em) => {
      const owner = await lockOwner(em, emailKey);
      const now = await databaseTime(em);
      const twin = await unownedTwin(em, emailKey, formatHash(fresh));
      if (twin) return { account: twin, isNew: false };
      if (owner && isNoticeDue(owner.attemptNoticeTime ?? undefined, now)) {
        owner.attemptNoticeTime = now;
        await registrationAttempted(em, owner, { occurTime: now });
      }
      return { account: await addAccount(em, newAccount(registration, { ownsEmail: false, now })), isNew: true };
    },
    { signal },
  );
}

function newAccount(registration: Registration, { ownsEmail, now }: { ownsEmail: boolean; now: Date }) {
  const { email, emailKey, displayName, fresh } = registration;
  return {
    userId: newId(),
    email,
    emailKey,
    ownsEmail,
    passwordHash: formatHash(fresh),
    displayName: displayName || null,
    createTime: now,
  };
}
