import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { type Clock, systemClock } from "../clock.ts";
import { newId } from "../id.ts";
import { Identity, type PrivateJwk } from "./identity.ts";
import { type Jwk, type Jwks, signJws } from "./jws.ts";
import { accessTokenAudience, accessTokenType, TokenVerifier } from "./tokens.ts";

/** Something that signs like the auth service, with a key of its own. */
export interface TestIssuer {
  issuer: string;
  jwks: Jwks;
  key: KeyObject;
  kid: string;
  /** A good access token; `claims` and `header` replace what it says. */
  token(claims?: Record<string, unknown>, header?: Record<string, unknown>): string;
  verifier(clock?: Clock): TokenVerifier;
}

export function testIssuer(clock: Clock = systemClock): TestIssuer {
  const { publicJwk, key } = keyPair("key-1");
  const jwks = { keys: [publicJwk] };
  return {
    issuer: "taskmesh",
    jwks,
    key,
    kid: publicJwk.kid,
    token: (claims, header) => {
      const now = Math.floor(clock.now().getTime() / 1000);
      return signJws(
        { typ: accessTokenType, kid: publicJwk.kid, ...header },
        {
          iss: "taskmesh",
          aud: accessTokenAudience,
          sub: newId(),
          sid: newId(),
          jti: newId(),
          iat: now,
          exp: now + 900,
          ...claims,
        },
        key,
      );
    },
    verifier: (own = clock) => new TokenVerifier({ issuer: "taskmesh", fetchKeys: async () => jwks, clock: own }),
  };
}

/** An identity for each name, all of them known to each other. */
export function testIdentities<N extends string>(names: readonly N[], clock: Clock = systemClock): Record<N, Identity> {
  const pairs = names.map((name) => ({ name, ...keyPair(name) }));
  const jwks = { keys: pairs.map(({ publicJwk }) => publicJwk) };
  const entries = pairs.map(({ name, privateJwk }) => [name, new Identity(privateJwk, jwks, clock)]);
  return Object.fromEntries(entries) as Record<N, Identity>;
}

/** A fresh Ed25519 key in the forms that files and key sets hold. */
export function keyPair(kid: string): { publicJwk: Jwk; privateJwk: PrivateJwk; key: KeyObject } {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const { x = "" } = publicKey.export({ format: "jwk" });
  const { d = "" } = privateKey.export({ format: "jwk" });
  const publicJwk = { kty: "OKP", crv: "Ed25519", x, kid, alg: "EdDSA", use: "sig" };
  return { publicJwk, privateJwk: { ...publicJwk, d }, key: privateKey };
}
