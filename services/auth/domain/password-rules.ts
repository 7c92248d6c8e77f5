import { commonPasswords } from "./common-passwords.ts";
import { emailKey } from "./email.ts";

const minLength = 8;

/** The form in which passwords are hashed and compared: NFKC, as NIST SP 800-63B asks for, so that keyboards agree. */
export function normalizePassword(password: string): string {
  return password.normalize("NFKC");
}

/** What is wrong with a new password, as a phrase for its owner; undefined when it may be used. */
export function passwordFault(password: string, email: string): string | undefined {
  const normal = normalizePassword(password);
  if ([...normal].length < minLength) return `must have at least ${minLength} characters`;
  const folded = emailKey(normal);
  if (commonPasswords.has(folded)) return "is one of the most common passwords; choose another";
  const address = emailKey(email);
  if (folded === address || folded === address.slice(0, address.lastIndexOf("@"))) {
    return "must not be the mail address";
  }
  return undefined;
}
