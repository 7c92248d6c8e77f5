import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { newRefreshToken, openSuccessor, refreshTokenHash, sealSuccessor } from "./refresh-token.ts";
import { newSigningKey, openSigningKey } from "./signing-key.ts";

const key = randomBytes(32);

describe("refresh tokens", () => {
  it("have 256 bits, and a successor that only the token opens", () => {
    const [first, second] = [newRefreshToken(), newRefreshToken()];
    expect(first).toMatch(/^tmr_[\w-]{43}$/);
    const sealed = sealSuccessor(second, first);
    expect(openSuccessor(sealed, first)).toBe(second);
    for (const other of [second, refreshTokenHash(first)]) expect(() => openSuccessor(sealed, other)).toThrow();
  });
});

describe("signing keys", () => {
  it("open with their secret and their id only", () => {
    const made = newSigningKey(key);
    expect(openSigningKey(made, key).asymmetricKeyType).toBe("ed25519");
    expect(() => openSigningKey(made, randomBytes(32))).toThrow();
    expect(() => openSigningKey({ ...made, kid: newSigningKey(key).kid }, key)).toThrow();
  });
});
