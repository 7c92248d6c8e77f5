import type { DescMethod } from "@bufbuild/protobuf";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { Access } from "#gen/mesh/v1/options_pb.js";
import type { TokenVerifier } from "#kit/auth/tokens.ts";
import { unauthenticated } from "#kit/errors.ts";
import { policyOf } from "#kit/grpc/policy.ts";
import type { EdgeCall } from "./edge-call.ts";
import { notExposed, TokenMissingError } from "./errors/edge-error.ts";

const bearer = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i;

/**
 * Verifies the bearer token of a call that needs one, so that no garbage reaches a service; the service verifies it
 * again by itself. A public call goes on without one. Throws UNAUTHENTICATED, or UNIMPLEMENTED for an internal RPC.
 */
export async function authenticate(call: EdgeCall, method: DescMethod, tokens: TokenVerifier): Promise<void> {
  const access = policyOf(method)?.access;
  if (access === Access.PUBLIC) return;
  if (access !== Access.USER) throw notExposed(method);
  const { authorization } = call.headers;
  if (authorization === undefined || authorization === "") throw new TokenMissingError();
  const token = bearer.exec(authorization)?.[1];
  if (token === undefined) throw unauthenticated(ErrorReason.TOKEN_INVALID, "the authorization is no bearer token");
  await tokens.verify(token);
  call.accessToken = token;
}
