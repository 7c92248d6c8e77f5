import { argon2, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";

export interface Argon2Parameters {
  /** In KiB. */
  memory: number;
  passes: number;
  parallelism: number;
}

/** The least that OWASP's password storage sheet allows for argon2id. */
export const floor: Argon2Parameters = { memory: 19_456, passes: 2, parallelism: 1 };

export interface PasswordHash {
  parameters: Argon2Parameters;
  salt: Buffer;
  tag: Buffer;
}

const tagLength = 32;
const compute = promisify(argon2);

/** Runs argon2id (RFC 9106), some 30 ms of one core at the floor. Takes the password in its normal form. */
export async function hashPassword(
  password: string,
  salt: Buffer,
  parameters: Argon2Parameters,
): Promise<PasswordHash> {
  const tag = await compute("argon2id", { message: password, nonce: salt, tagLength, ...parameters });
  return { parameters, salt, tag };
}

const base64 = (bytes: Buffer) => bytes.toString("base64").replace(/=+$/, "");

/** The PHC string: `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>`. */
export function formatHash({ parameters: { memory, passes, parallelism }, salt, tag }: PasswordHash): string {
  return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${base64(salt)}$${base64(tag)}`;
}

const phc = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;

/** Reads a PHC string. Throws on any other text: it can only be a damaged row. */
export function parseHash(text: string): PasswordHash {
  const [, memory, passes, parallelism, salt, tag] = phc.exec(text) ?? [];
  if (salt === undefined || tag === undefined) throw new Error("a stored password hash is no PHC string of argon2id");
  return {
    parameters: { memory: Number(memory), passes: Number(passes), parallelism: Number(parallelism) },
    salt: Buffer.from(salt, "base64"),
    tag: Buffer.from(tag, "base64"),
  };
}

/** Compares without telling by time where they differ. */
export function sameHash(a: PasswordHash, b: PasswordHash): boolean {
  return a.tag.length === b.tag.length && timingSafeEqual(a.tag, b.tag);
}

/** Whether a hash made with the same salt and parameters can be compared with this one. */
export function comparable(a: PasswordHash, b: PasswordHash): boolean {
  return sameParameters(a.parameters, b.parameters) && a.salt.equals(b.salt);
}

function sameParameters(a: Argon2Parameters, b: Argon2Parameters): boolean {
  return a.memory === b.memory && a.passes === b.passes && a.parallelism === b.parallelism;
}
