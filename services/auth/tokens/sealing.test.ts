import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { newRefreshToken, openSuccessor, refreshTokenHash, sealSuccessor } from "./refresh-token.ts";
import { seal, unseal } from "./sealing.ts";
import { newSigningKey, openSigningKey } from "./signing-key.ts";

const key = randomBytes(32);
const plain = Buffer.from("secret");

describe("sealing", () => {
  it("gives back what was sealed, and no two seals alike", () => {
    const [a, b] = [seal(plain, key, "x"), seal(plain, key, "x")];
    expect(unseal(a, key, "x")).toEqual(plain);
    expect(a.equals(b)).toBe(false);
  });

  it("opens with nothing else: another key, another context, a changed or missing byte", () => {
    const sealed = seal(plain, key, "x");
    expect(() => unseal(sealed, randomBytes(32), "x")).toThrow();
    expect(() => unseal(sealed, key, "y")).toThrow();
    for (let index = 0; index < sealed.length; index += 1) {
      const changed = Buffer.from(sealed);
      changed.writeUInt8(changed.readUInt8(index) ^ 1, index);
      expect(() => unseal(changed, key, "x")).toThrow();
    }
    expect(() => unseal(sealed.subarray(0, -1), key, "x")).toThrow();
    expect(() => unseal(Buffer.alloc(0), key, "x")).toThrow();
  });
});

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
