import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { seal, unseal } from "./sealing.ts";

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
