import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ApiKeySchema, LoginResponseSchema } from "#gen/auth/v1/auth_service_pb.js";
import type { Jwk, Tier } from "#kit/auth/tokens.ts";
import type { AuthContext } from "../context.ts";
import type { KnownApiKey } from "../db/api-key.repository.ts";
import type { PublicKey } from "../db/signing-key.repository.ts";
import type { KnownProfile } from "../profiles.ts";
import type { LiveSession } from "../sessions.ts";
import { signAccessToken } from "../tokens/access-token.ts";

type SignedIn = Omit<MessageInitShape<typeof LoginResponseSchema>, "$typeName">;

/** What Register, Login and RefreshToken answer alike, with a fresh access token. */
export async function signedIn(
  { keys, clock, config }: AuthContext,
  { userId, sessionId, refreshToken }: LiveSession,
  { user, tier }: { user: KnownProfile; tier: Tier },
): Promise<SignedIn> {
  const { issuer, accessTtl: ttl } = config.tokens;
  const claims = { issuer, userId, sessionId, tier, issueTime: clock.now(), ttl };
  const accessToken = signAccessToken(claims, await keys.current());
  return { accessToken, refreshToken, expiresIn: ttl, user };
}

export function apiKeyToProto(key: KnownApiKey): MessageInitShape<typeof ApiKeySchema> {
  const { apiKeyId, name, scopes, createTime, expireTime, lastUsedTime } = key;
  return {
    apiKeyId,
    name,
    scopes,
    createTime: timestampFromDate(createTime),
    expireTime: timestampFromDate(expireTime),
    lastUsedTime: lastUsedTime ? timestampFromDate(lastUsedTime) : undefined,
  };
}

/** The set of public keys; what each is for is the same for all. */
export function keysToProto(keys: PublicKey[]): { keys: Required<Jwk>[] } {
  return {
    keys: keys.map(({ kid, publicX }) => ({
      kty: "OKP",
      crv: "Ed25519",
      x: publicX,
      kid,
      alg: "EdDSA",
      use: "sig",
    })),
  };
}
