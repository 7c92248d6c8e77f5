import { createHash, randomBytes } from "node:crypto";
import { deriveKey, seal, unseal } from "#kit/auth/sealing.ts";

/** Lets scanners for leaked secrets recognise a token. */
const prefix = "tmr_";
const purpose = "taskmesh refresh token successor";

/** A new refresh token: 256 random bits that mean nothing by themselves. */
export function newRefreshToken(): string {
  return prefix + randomBytes(32).toString("base64url");
}

/** What the database knows of a token. The token has full entropy, so a fast digest is enough. */
export function refreshTokenHash(token: string): string {
  return createHash("sha256").update(token).digest("base64url");
}

/** Encrypts a successor so that only who holds the token before it can read it; the database alone reveals nothing. */
export function sealSuccessor(successor: string, predecessor: string): Buffer {
  return seal(Buffer.from(successor), deriveKey(predecessor, purpose), refreshTokenHash(predecessor));
}

/** The successor that `sealSuccessor` hid. */
export function openSuccessor(sealed: Buffer, predecessor: string): string {
  return unseal(sealed, deriveKey(predecessor, purpose), refreshTokenHash(predecessor)).toString();
}
