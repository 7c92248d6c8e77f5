import { randomUUID } from "node:crypto";
import { importJWK, jwtVerify, SignJWT } from "jose";
import { describe, expect, it, vi } from "vitest";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { testIssuer } from "./testing.ts";
import { TokenVerifier } from "./tokens.ts";

function clockAt(start: number) {
  let now = start;
  return {
    now: () => new Date(now),
    advance: (ms: number) => {
      now += ms;
    },
  };
}

describe("TokenVerifier", () => {
  it("answers with the user, the session and the time of expiry", async () => {
    const issuer = testIssuer();
    const exp = Math.floor(Date.now() / 1000) + 60;
    const verified = await issuer.verifier().verify(issuer.token({ sub: "u", sid: "s", exp }));
    expect(verified).toEqual({
      userId: "u",
      sessionId: "s",
      expireTime: new Date(exp * 1000),
      tier: "standard",
    });
  });

  it("answers with the tier, and with the key and the scopes of a token that an API key was traded for", async () => {
    const issuer = testIssuer();
    const { tier } = await issuer.verifier().verify(issuer.token({ tier: "premium" }));
    expect(tier).toBe("premium");
    const claims = { sid: "k", key_id: "k", scope: "tasks:read users:read" };
    expect(await issuer.verifier().verify(issuer.token(claims))).toMatchObject({
      sessionId: "k",
      keyId: "k",
      scopes: ["tasks:read", "users:read"],
    });
  });

  it.each([
    ["a tier that there is not", { tier: "gold" }],
    ["a tier that is no text", { tier: ["premium"] }],
    ["a key without its scopes", { key_id: "k" }],
    ["scopes without their key", { scope: "tasks:read" }],
    ["a key without a name", { key_id: "", scope: "tasks:read" }],
    ["scopes that are a list", { key_id: "k", scope: ["tasks:read"] }],
  ])("refuses %s", async (_what, claims) => {
    const issuer = testIssuer();
    const verdict = issuer.verifier().verify(issuer.token(claims));
    await expect(verdict).rejects.toMatchObject({ reason: ErrorReason.TOKEN_INVALID });
  });

  it("lets a key without any scope do nothing, rather than everything", async () => {
    const issuer = testIssuer();
    const { scopes } = await issuer.verifier().verify(issuer.token({ key_id: "k", scope: "" }));
    expect(scopes).toEqual([""]);
  });

  it("agrees with jose in both directions", async () => {
    const issuer = testIssuer();
    const theirs = await new SignJWT({ sid: randomUUID() })
      .setProtectedHeader({ alg: "EdDSA", typ: "at+jwt", kid: issuer.kid })
      .setIssuer("taskmesh")
      .setAudience("taskmesh")
      .setSubject("u")
      .setJti(randomUUID())
      .setIssuedAt()
      .setExpirationTime("5m")
      .sign(issuer.key);
    await expect(issuer.verifier().verify(theirs)).resolves.toMatchObject({ userId: "u" });

    const key = await importJWK({ ...issuer.jwks.keys[0] }, "EdDSA");
    const options = { typ: "at+jwt", issuer: "taskmesh", audience: "taskmesh", algorithms: ["EdDSA"] };
    await expect(jwtVerify(issuer.token(), key, options)).resolves.toBeDefined();
  });

  it("tells a token that has expired from one that was never good, remembered or not", async () => {
    const clock = clockAt(Date.now());
    const issuer = testIssuer(clock);
    const verifier = issuer.verifier(clock);
    const [seen, unseen] = [issuer.token(), issuer.token()];
    await verifier.verify(seen);
    clock.advance(900_000);
    await expect(verifier.verify(seen)).rejects.toMatchObject({ reason: ErrorReason.TOKEN_EXPIRED });
    await expect(verifier.verify(unseen)).rejects.toMatchObject({ reason: ErrorReason.TOKEN_EXPIRED });
    await expect(verifier.verify(resigned(unseen))).rejects.toMatchObject({ reason: ErrorReason.TOKEN_INVALID });
  });

  it("refuses a token that it remembers from the moment that its session is revoked", async () => {
    const issuer = testIssuer();
    const revoked = new Set<string>();
    const verifier = new TokenVerifier({
      issuer: "taskmesh",
      fetchKeys: async () => issuer.jwks,
      isRevoked: (sessionId) => revoked.has(sessionId),
    });
    const token = issuer.token({ sid: "session-1" });
    await verifier.verify(token);
    revoked.add("session-1");
    await expect(verifier.verify(token)).rejects.toMatchObject({ reason: ErrorReason.TOKEN_INVALID });
  });

  it("forgets what a key signed once the key has left the set", async () => {
    const clock = clockAt(Date.now());
    const issuer = testIssuer(clock);
    const next = testIssuer(clock);
    let jwks = issuer.jwks;
    const fetchKeys = vi.fn(async () => jwks);
    const verifier = new TokenVerifier({ issuer: "taskmesh", fetchKeys, clock });
    const token = issuer.token();
    await verifier.verify(token);
    jwks = { keys: next.jwks.keys.map((key) => ({ ...key, kid: "key-2" })) };
    clock.advance(30_000);
    await expect(verifier.verify(token)).resolves.toBeDefined();
    clock.advance(30_000);
    await verifier.verify(token).catch(() => {});
    await vi.waitFor(() => expect(fetchKeys).toHaveBeenCalledTimes(2), 5_000);
    await expect(verifier.verify(token)).rejects.toMatchObject({ reason: ErrorReason.TOKEN_INVALID });
  });
});

/** The token with another first character in its signature. */
function resigned(token: string): string {
  const begin = token.lastIndexOf(".") + 1;
  return `${token.slice(0, begin)}${token[begin] === "A" ? "B" : "A"}${token.slice(begin + 1)}`;
}
