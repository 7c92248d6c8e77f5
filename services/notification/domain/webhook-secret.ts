import { randomBytes } from "node:crypto";

const prefix = "whsec_";
const length = 32;

/** A new secret as Standard Webhooks writes one: 24 to 64 random bytes. */
export function newSecret(): Buffer {
  return randomBytes(length);
}

/** How its owner sees a secret: "whsec_" and base64. */
export function secretText(secret: Buffer): string {
  return prefix + secret.toString("base64");
}
