import { type KeyObject, randomUUID } from "node:crypto";
import { signJws } from "#kit/auth/jws.ts";
import { accessTokenAudience, accessTokenType } from "#kit/auth/tokens.ts";

export interface AccessTokenClaims {
  issuer: string;
  userId: string;
  sessionId: string;
  issueTime: Date;
  /** In seconds. */
  ttl: number;
}

/** Signs an access token in the profile of RFC 9068. */
export function signAccessToken(
  { issuer, userId, sessionId, issueTime, ttl }: AccessTokenClaims,
  { kid, privateKey }: { kid: string; privateKey: KeyObject },
): string {
  const iat = Math.floor(issueTime.getTime() / 1_000);
  const claims = { iss: issuer, aud: accessTokenAudience, sub: userId, sid: sessionId, jti: randomUUID(), iat };
  return signJws({ typ: accessTokenType, kid }, { ...claims, exp: iat + ttl }, privateKey);
}
