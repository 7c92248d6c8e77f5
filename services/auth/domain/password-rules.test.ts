import { expect, it } from "vitest";
import { commonPasswords } from "./common-passwords.ts";
import { emailKey } from "./email.ts";
import { normalizePassword, passwordFault } from "./password-rules.ts";

const email = "ada.lovelace@example.com";

it.each([
  "correct horse battery",
  "abcdefg8",
  "\u{1f600}".repeat(8),
  "        ",
  "p\u00e4ssw\u00f6rter",
  "a".repeat(256),
])("takes %j", (password) => {
  expect(passwordFault(password, email)).toBeUndefined();
});

it.each([
  ["seven77", "at least 8"],
  ["\u{1f600}".repeat(7), "at least 8"],
  // Eight code points that are seven in the form that is hashed.
  ["abcdefa\u0308", "at least 8"],
  ["password", "most common"],
  ["PassWord123", "most common"],
  ["\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44", "most common"],
  ["Ada.Lovelace", "mail address"],
  ["ADA.lovelace@example.com", "mail address"],
])("refuses %j", (password, why) => {
  expect(passwordFault(password, email)).toContain(why);
});

it("knows common passwords only in the form in which it compares them", () => {
  expect(commonPasswords.size).toBeGreaterThan(100);
  for (const common of commonPasswords) {
    expect(common.length).toBeGreaterThanOrEqual(8);
    expect(emailKey(normalizePassword(common))).toBe(common);
  }
});
