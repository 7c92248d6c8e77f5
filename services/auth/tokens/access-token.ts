import { type KeyObject, randomUUID } from "node:crypto";
import { signJws } from "#kit/auth/jws.ts";
import { accessTokenAudience, accessTokenType, type Tier } from "#kit/auth/tokens.ts";

export interface AccessTokenClaims {
  issuer: string;
  userId: string;
  sessionId: string;
  tier: Tier;
  /** Of a token that an API key was traded for. */
  apiKey?: { keyId: string; scopes: readonly string[] };
  issueTime: Date;
  /** In seconds. */
  ttl: number;
}

/** Signs an access token in the profile of RFC 9068. */
export function signAccessToken(
  { issuer, userId, sessionId, tier, apiKey, issueTime, ttl }: AccessTokenClaims,
  { kid, privateKey }: { kid: string; privateKey: KeyObject },
): string {
  const iat = Math.floor(issueTime.getTime() / 1_000);
  const claims = { iss: issuer, aud: accessTokenAudience, sub: userId, sid: sessionId, jti: randomUUID(), iat };
  const raised = tier === "standard" ? undefined : { tier };
  const key = apiKey && { key_id: apiKey.keyId, scope: apiKey.scopes.join(" ") };
  return signJws({ typ: accessTokenType, kid }, { ...claims, exp: iat + ttl, ...raised, ...key }, privateKey);
}
