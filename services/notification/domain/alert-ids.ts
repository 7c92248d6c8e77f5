import { createHash } from "node:crypto";

/** The event of the n-th notice (0 is the first) of an alert to a person: whoever asks for it again asks for the same. */
export function noticeEventId(alertId: string, recipientId: string, repeat: number): string {
  return derivedId(`notice ${alertId} ${recipientId} ${repeat}`);
}

/** The event that tells the raiser of a person's acknowledgement. */
export function acknowledgementEventId(alertId: string, personId: string): string {
  return derivedId(`acknowledgement ${alertId} ${personId}`);
}

/** A UUIDv8 (RFC 9562, section 5.8) that follows from a text alone. */
export function derivedId(text: string): string {
  const bytes = createHash("sha256").update(text).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
