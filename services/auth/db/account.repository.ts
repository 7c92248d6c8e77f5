import { LockMode } from "@mikro-orm/core";
import { type Database, type EntityManager, execute } from "#kit/db/database.ts";
import { statement } from "#kit/db/statement.ts";
import type { Tier } from "../domain/account.ts";
import { type Account, AccountEntity } from "./account.entity.ts";

/** What signing in needs to know of an account. */
export interface AccountCredentials {
  userId: string;
  email: string;
  ownsEmail: boolean;
  passwordHash: string;
  displayName?: string | null;
  profileCreated: boolean;
  tier: Tier;
  createTime: Date;
}

const columns = `user_id AS "userId", email, owns_email AS "ownsEmail", password_hash AS "passwordHash",
  display_name AS "displayName", profile_created AS "profileCreated", tier, create_time AS "createTime"`;

// Accounts that do not own the address are found by the hash itself, so that there may be any number of them. One whose
// hash is of another salt or cost cannot be found so; the newest of those is tried by hand.
const findCandidates = statement(
  "auth-account-candidates",
  `SELECT ${columns} FROM account WHERE email_key = $1 AND owns_email
   UNION ALL
   (SELECT ${columns} FROM account WHERE email_key = $1 AND NOT owns_email AND password_hash = $2
    ORDER BY create_time LIMIT 1)
   UNION ALL
   (SELECT ${columns} FROM account WHERE email_key = $1 AND NOT owns_email AND NOT starts_with(password_hash, $3)
    ORDER BY create_time DESC LIMIT 1)`,
);

/** The accounts of an address that this password may belong to; `hash` is the password's own PHC string. */
export function accountsToTry(
  database: Database,
  emailKey: string,
  hash: string,
  signal: AbortSignal,
): Promise<AccountCredentials[]> {
  const saltAndCost = hash.slice(0, hash.lastIndexOf("$") + 1);
  return database.query<AccountCredentials>(findCandidates, [emailKey, hash, saltAndCost], { signal });
}

const findByToken = statement(
  "auth-account-by-refresh-token",
  `SELECT ${columns} FROM account WHERE user_id = (
     SELECT user_id FROM session JOIN refresh_token USING (session_id) WHERE token_hash = $1)`,
);

/** Whose refresh token it is, whatever its state. */
export async function accountOfToken(
  database: Database,
  tokenHash: string,
  signal: AbortSignal,
): Promise<AccountCredentials | undefined> {
  const [account] = await database.query<AccountCredentials>(findByToken, [tokenHash], { signal });
  return account;
}

const markProfile = statement(
  "auth-account-profile-created",
  "UPDATE account SET profile_created = true, display_name = NULL WHERE user_id = $1",
);

export async function markProfileCreated(database: Database, userId: string, signal: AbortSignal): Promise<void> {
  await database.query(markProfile, [userId], { signal });
}

const login = statement(
  "auth-account-login",
  `UPDATE account SET last_login_time = clock_timestamp(),
     password_hash = CASE WHEN password_hash = $2 THEN $3 ELSE password_hash END
   WHERE user_id = $1`,
);

/** Remembers a login, and puts a fresh hash in the place of the one that it was checked against. */
export async function recordLogin(em: EntityManager, account: AccountCredentials, freshHash: string): Promise<void> {
  await execute(em, login, [account.userId, account.passwordHash, freshHash]);
}

/** The account, locked: nobody else changes it or adds to its events until the transaction ends. */
export function lockAccount(em: EntityManager, userId: string): Promise<Account> {
  return em.findOneOrFail(AccountEntity, { userId }, { lockMode: LockMode.PESSIMISTIC_WRITE });
}

/** The account that owns the address, locked. */
export function lockOwner(em: EntityManager, emailKey: string): Promise<Account | null> {
  return em.findOne(AccountEntity, { emailKey, ownsEmail: true }, { lockMode: LockMode.PESSIMISTIC_WRITE });
}

/** An account with this very address and password that does not own the address. */
export function unownedTwin(em: EntityManager, emailKey: string, passwordHash: string): Promise<Account | null> {
  return em.findOne(AccountEntity, { emailKey, passwordHash, ownsEmail: false }, { orderBy: { createTime: "asc" } });
}

export type NewAccount = Pick<
  Account,
  "userId" | "email" | "emailKey" | "ownsEmail" | "passwordHash" | "displayName" | "createTime"
>;

/** Adds an account at once; a taken address fails with a unique violation of `account_owned_email`. */
export async function addAccount(em: EntityManager, account: NewAccount): Promise<Account> {
  const added = em.create(AccountEntity, { ...account, profileCreated: false, tier: "standard", eventSequence: 0n });
  await em.persist(added).flush();
  return added;
}
