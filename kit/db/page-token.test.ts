import { expect, test } from "vitest";
import { decodePageToken, encodePageToken } from "./page-token.ts";

const key = new Uint8Array(32).fill(7);
const scope = { owner: "u1", filter: "status = STATUS_OPEN", orderBy: "priority desc, due" };
const cursor = [3, null, "2026-11-30", "0190a0a0-0000-7000-8000-000000000000"];

test("a token brings its cursor back", () => {
  expect(decodePageToken(key, scope, encodePageToken(key, scope, cursor))).toEqual(cursor);
});

test("the order of the scope's fields does not matter", () => {
  const { owner, filter, orderBy } = scope;
  expect(decodePageToken(key, { orderBy, filter, owner }, encodePageToken(key, scope, cursor))).toEqual(cursor);
});

test("no token is the first page", () => {
  expect(decodePageToken(key, scope, "")).toBeUndefined();
});

test.each([
  ["of another owner", encodePageToken(key, { ...scope, owner: "u2" }, cursor)],
  ["of another filter", encodePageToken(key, { ...scope, filter: "" }, cursor)],
  ["of another order", encodePageToken(key, { ...scope, orderBy: "due" }, cursor)],
  ["of another key", encodePageToken(new Uint8Array(32), scope, cursor)],
  ["cut short", encodePageToken(key, scope, cursor).slice(0, 30)],
  ["too short for any", "abc"],
  ["with something behind it", `${encodePageToken(key, scope, cursor)}%00`],
  ["that is no base64url", "!!!"],
])("a token %s is refused by the field's name", (_, token) => {
  expect(() => decodePageToken(key, scope, token)).toThrow(
    expect.objectContaining({ fieldViolations: [expect.objectContaining({ field: "page_token" })] }),
  );
});

test("every altered byte is noticed", () => {
  const bytes = Buffer.from(encodePageToken(key, scope, cursor), "base64url");
  for (const index of bytes.keys()) {
    const altered = Buffer.from(bytes);
    altered[index] = (altered[index] ?? 0) ^ 1;
    expect(() => decodePageToken(key, scope, altered.toString("base64url"))).toThrow();
  }
});
