import { createECDH } from "node:crypto";

/** What a browser encrypts with (RFC 8291), both base64url. */
export interface BrowserKeys {
  /** An uncompressed point of P-256. */
  p256dh: string;
  /** 16 bytes. */
  auth: string;
}

/** How many browsers of a person take notifications. */
export const maxPushSubscriptions = 20;

/** The keys without padding, which some browsers add and others do not; undefined when the point is not on the curve. */
export function normalizedKeys({ p256dh, auth }: BrowserKeys): BrowserKeys | undefined {
  const point = Buffer.from(p256dh, "base64url");
  if (!isOnCurve(point)) return undefined;
  return { p256dh: point.toString("base64url"), auth: Buffer.from(auth, "base64url").toString("base64url") };
}

function isOnCurve(point: Buffer): boolean {
  if (point[0] !== 4 || point.length !== 65) return false;
  try {
    const any = createECDH("prime256v1");
    any.setPrivateKey(Buffer.alloc(32, 1));
    any.computeSecret(point);
    return true;
  } catch {
    return false;
  }
}
