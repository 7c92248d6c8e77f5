import type { AuthContext } from "./context.ts";
import { type AccountCredentials, accountsToTry } from "./db/account.repository.ts";
import { chooseAccount } from "./domain/account.ts";
import { formatHash, type PasswordHash } from "./passwords/argon2.ts";

export interface Credentials {
  emailKey: string;
  password: string;
}

export interface Found {
  /** The account that the credentials belong to. */
  account: AccountCredentials | undefined;
  /** Whether any account owns the address. */
  isTaken: boolean;
}

/** Looks for the account of an address and a password, which costs the same whether there is one or not. */
export async function findAccount(
  { database, hasher }: AuthContext,
  { emailKey, password }: Credentials,
  fresh: PasswordHash,
  signal: AbortSignal,
): Promise<Found> {
  const candidates = await accountsToTry(database, emailKey, formatHash(fresh), signal);
  const matching: AccountCredentials[] = [];
  for (const candidate of candidates) {
    if (await hasher.matches(candidate.passwordHash, password, fresh, signal)) matching.push(candidate);
  }
  return { account: chooseAccount(matching), isTaken: candidates.some(({ ownsEmail }) => ownsEmail) };
}
