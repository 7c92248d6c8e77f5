import { expect, it } from "vitest";
import { emailKey, nameFromEmail } from "./email.ts";

it.each([
  ["ada@example.com", "Ada@Example.COM"],
  ["stra\u00dfe@example.com", "STRASSE@example.com"],
  ["\u03c3\u03c2@example.com", "\u03a3\u03a3@EXAMPLE.com"],
  ["e\u0301@example.com", "\u00c9@example.com"],
])("takes %s and %s for the same address", (a, b) => {
  expect(emailKey(a)).toBe(emailKey(b));
});

it.each([
  ["ada@example.com", " ada@example.com"],
  ["ada@example.com", "ada.@example.com"],
  ["ada@example.com", "ada+x@example.com"],
])("takes %j and %j for different addresses", (a, b) => {
  expect(emailKey(a)).not.toBe(emailKey(b));
});

it("is stable, and can be stored whatever comes in", () => {
  const key = emailKey("\0\ud800\u0130@example.com");
  expect(emailKey(key)).toBe(key);
  expect(key).not.toContain("\0");
  expect(key.isWellFormed()).toBe(true);
});

it("makes a name of the part before the last @", () => {
  expect(nameFromEmail("ada.lovelace@example.com")).toBe("ada.lovelace");
  expect([...nameFromEmail(`${"\u{1f600}".repeat(150)}@example.com`)]).toHaveLength(100);
});
