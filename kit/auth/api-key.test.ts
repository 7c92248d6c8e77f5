import { expect, test } from "vitest";
import { newId } from "#kit/id.ts";
import { apiKeyId, isApiKey, newApiKey } from "./api-key.ts";

test("a new key is recognised by its prefix and tells its id", () => {
  const id = newId();
  const key = newApiKey(id);
  expect(key).toMatch(/^tmk_[0-9a-f]{32}_[0-9A-Za-z]{49}$/);
  expect(isApiKey(key)).toBe(true);
  expect(apiKeyId(key)).toBe(id);
});

test("two keys of one id have nothing else in common", () => {
  const id = newId();
  const keys = Array.from({ length: 200 }, () => newApiKey(id));
  expect(new Set(keys.map((key) => key.slice(-49, -6))).size).toBe(200);
  expect(new Set(keys.map((key) => key.at(-10))).size).toBeGreaterThan(30);
});

test("any one character that is another makes it no key", () => {
  const key = newApiKey(newId());
  for (let at = 0; at < key.length; at += 1) {
    for (const other of ["0", "a", "Z", "_"]) {
      const forged = key.slice(0, at) + other + key.slice(at + 1);
      expect(apiKeyId(forged), forged).toBe(forged === key ? apiKeyId(key) : undefined);
    }
  }
});

test.each(["", "tmk_", "tmr_abc", `${newApiKey(newId())}0`, ` ${newApiKey(newId())}`, `${newApiKey(newId())}\n`])(
  "%j is none",
  (text) => {
    expect(apiKeyId(text)).toBeUndefined();
  },
);
