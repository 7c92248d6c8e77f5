import type { MessageInitShape } from "@bufbuild/protobuf";
import type { LoginResponseSchema } from "#gen/auth/v1/auth_service_pb.js";
import type { Jwk } from "#kit/auth/tokens.ts";
import type { AuthContext } from "../context.ts";
import type { PublicKey } from "../db/signing-key.repository.ts";
import type { KnownProfile } from "../profiles.ts";
import type { LiveSession } from "../sessions.ts";
import { signAccessToken } from "../tokens/access-token.ts";

type SignedIn = Omit<MessageInitShape<typeof LoginResponseSchema>, "$typeName">;

/** What Register, Login and RefreshToken answer alike, with a fresh access token. */
export async function signedIn(
  { keys, clock, config }: AuthContext,
  { userId, sessionId, refreshToken }: LiveSession,
  user: KnownProfile,
): Promise<SignedIn> {
  const { issuer, accessTtl: ttl } = config.tokens;
  const accessToken = signAccessToken({ issuer, userId, sessionId, issueTime: clock.now(), ttl }, await keys.current());
  return { accessToken, refreshToken, expiresIn: ttl, user };
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
