import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { invalidArgument } from "#kit/errors.ts";

/** Where a page ends: the values of the ordering columns of its last row, the id last. */
export type PageCursor = readonly (string | number | boolean | null)[];

/** What the pages have in common, such as owner, filter and order; a token is good for nothing else. */
export type PageScope = Readonly<Record<string, unknown>>;

const tagBytes = 16;

/** Makes the opaque token of the next page. The key is the same in all instances: `database.key("page-token")`. */
export function encodePageToken(key: Uint8Array, scope: PageScope, cursor: PageCursor): string {
  const body = Buffer.from(JSON.stringify(cursor));
  return Buffer.concat([tag(key, scope, body), body]).toString("base64url");
}

/** Reads a token; undefined for the first page (""). Throws INVALID_ARGUMENT for one that was altered or is of another list. */
export function decodePageToken(key: Uint8Array, scope: PageScope, token: string): PageCursor | undefined {
  if (token === "") return undefined;
  const bytes = Buffer.from(token, "base64url");
  const body = bytes.subarray(tagBytes);
  const isOurs =
    bytes.length > tagBytes &&
    bytes.toString("base64url") === token &&
    timingSafeEqual(bytes.subarray(0, tagBytes), tag(key, scope, body));
  if (!isOurs) throw invalidArgument("page_token", "not a token of this list; start from the first page");
  return JSON.parse(body.toString()) as PageCursor;
}

function tag(key: Uint8Array, scope: PageScope, body: Buffer): Buffer {
  const entries = Object.entries(scope).sort(([a], [b]) => (a < b ? -1 : 1));
  const scopeHash = createHash("sha256").update(JSON.stringify(entries)).digest();
  return createHmac("sha256", key).update(scopeHash).update(body).digest().subarray(0, tagBytes);
}
