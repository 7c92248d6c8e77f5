import * as crypto from "node:crypto";

// Node 24.21 has it; the types of Node 24 do not know it yet.
const { randomUUIDv7 } = crypto as unknown as { randomUUIDv7(): string };

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** A new UUIDv7 (RFC 9562): sorts by the time at which it was made. */
export function newId(): string {
  return randomUUIDv7();
}

/** Whether the text is a UUID of any version in its usual form. */
export function isId(text: string): boolean {
  return uuid.test(text);
}
