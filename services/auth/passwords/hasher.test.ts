import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { comparable, floor, formatHash, hashPassword, parseHash } from "./argon2.ts";
import { PasswordHasher } from "./hasher.ts";

const key = randomBytes(32);
const hasher = new PasswordHasher(key, floor);

describe("argon2id", () => {
  it("computes what the reference implementation computes", async () => {
    const hash = await hashPassword("password", Buffer.from("somesalt"), { memory: 65_536, passes: 2, parallelism: 1 });
    const text = formatHash(hash);
    // One of the vectors in the tests of phc-winner-argon2.
    expect(text).toBe("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc");
    expect(parseHash(text)).toEqual(hash);
  });

  it("does not take another text for a hash", () => {
    expect(() => parseHash("$argon2i$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$AAAA")).toThrow();
    expect(() => parseHash("")).toThrow();
  });
});

describe("PasswordHasher", () => {
  it("gives all accounts of an address one salt, and no other address or server the same", async () => {
    const other = new PasswordHasher(randomBytes(32), floor);
    const [a, b, c, d] = await Promise.all([
      hasher.hash("password one", "ada@example.com"),
      hasher.hash("password two", "ada@example.com"),
      hasher.hash("password one", "grace@example.com"),
      other.hash("password one", "ada@example.com"),
    ]);
    expect(comparable(a, b)).toBe(true);
    expect(comparable(a, c)).toBe(false);
    expect(comparable(a, d)).toBe(false);
  });

  it("recognises a password by a hash of today and by one of other parameters or another key", async () => {
    const fresh = await hasher.hash("pass\u00e9word", "ada@example.com");
    const olds = [
      formatHash(fresh),
      formatHash(await new PasswordHasher(key, { ...floor, passes: 3 }).hash("passe\u0301word", "ada@example.com")),
      formatHash(await new PasswordHasher(randomBytes(32), floor).hash("pass\u00e9word", "ada@example.com")),
    ];
    const wrong = await hasher.hash("another password", "ada@example.com");
    for (const old of olds) {
      expect(await hasher.matches(old, "pass\u00e9word", fresh)).toBe(true);
      expect(await hasher.matches(old, "another password", wrong)).toBe(false);
    }
  });
});
