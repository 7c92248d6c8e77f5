import type { DescMethod } from "@bufbuild/protobuf";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { Access, RateClass } from "#gen/mesh/v1/options_pb.js";
import { isApiKey } from "#kit/auth/api-key.ts";
import type { TokenVerifier, VerifiedToken } from "#kit/auth/tokens.ts";
import { Code, type ServiceError, unauthenticated } from "#kit/errors.ts";
import { policyOf } from "#kit/grpc/policy.ts";
import { type ApiKeys, invalidKey } from "./api-keys.ts";
import type { EdgeCall } from "./edge-call.ts";
import { notExposed, TokenMissingError } from "./errors/edge-error.ts";
import type { EdgeLimits } from "./limits/edge-limits.ts";

const bearer = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i;

/** What tells good credentials from bad ones. */
export interface Verifiers {
  readonly tokens: Pick<TokenVerifier, "verify">;
  readonly apiKeys: Pick<ApiKeys, "accessToken" | "forget">;
  readonly limits: Pick<EdgeLimits, "countCall">;
}

/** A guess at a key costs the auth service a look: they are counted as logins are. */
const guess = { rateClass: RateClass.AUTH, cost: 1 } as const;

/**
 * Verifies the bearer token of a call that needs one, so that no garbage reaches a service; the service verifies it
 * again by itself. An API key is traded for a token. A public call goes on without one, and answers undefined.
 * Throws UNAUTHENTICATED, UNIMPLEMENTED for an internal RPC, or RESOURCE_EXHAUSTED after too many guesses at keys.
 */
export async function authenticate(
  call: EdgeCall,
  method: DescMethod,
  verifiers: Verifiers,
): Promise<VerifiedToken | undefined> {
  const access = policyOf(method)?.access;
  if (access === Access.PUBLIC) return undefined;
  if (access !== Access.USER) throw notExposed(method);
  const { authorization } = call.headers;
  if (authorization === undefined || authorization === "") throw new TokenMissingError();
  const given = bearer.exec(authorization)?.[1];
  if (given === undefined) throw unauthenticated(ErrorReason.TOKEN_INVALID, "the authorization is no bearer token");
  if (isApiKey(given)) return authenticateKey(call, given, verifiers);
  const verified = await verifiers.tokens.verify(given);
  call.accessToken = given;
  call.userId = verified.userId;
  return verified;
}

async function authenticateKey(call: EdgeCall, key: string, verifiers: Verifiers): Promise<VerifiedToken> {
  const { tokens, apiKeys, limits } = verifiers;
  const accessToken = await apiKeys.accessToken(key, () => limits.countCall(call, guess, undefined));
  try {
    const verified = await tokens.verify(accessToken);
    call.accessToken = accessToken;
    call.userId = verified.userId;
    return verified;
  } catch (error) {
    const { code, reason } = error as Partial<ServiceError>;
    // The key was revoked after its token was made. While nobody can tell, the token stays as good as it was.
    if (code === Code.UNAUTHENTICATED) apiKeys.forget(key);
    throw reason === ErrorReason.TOKEN_INVALID ? invalidKey() : error;
  }
}
