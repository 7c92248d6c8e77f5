import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { Access } from "#gen/mesh/v1/options_pb.js";
import { type Identity, identityHeader } from "../../auth/identity.ts";
import type { TokenVerifier } from "../../auth/tokens.ts";
import { ServiceError, unauthenticated } from "../../errors.ts";
import { type MethodPolicy, policyOf, scopeOf } from "../policy.ts";
import type { ServerCall } from "../server-call.ts";
import type { ServerInterceptor } from "./interceptor.ts";

/** The service that carries the calls of people and programs into the mesh. */
const edge = "gateway";
const bearer = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i;

/** Authenticates the caller as the policy of the method asks, and refuses whoever may not call it. */
export function authorize(
  identity: Pick<Identity, "verify">,
  tokens: Pick<TokenVerifier, "verify">,
): ServerInterceptor {
  return {
    name: "authorize",
    wrap: (next) => async (call, request) => {
      const policy = policyOf(call.method);
      switch (policy?.access) {
        case Access.PUBLIC:
          // A stale token must not keep anybody from signing in, so tokens are not looked at.
          break;
        case Access.USER:
          await admitUser(call, identity, tokens);
          break;
        case Access.INTERNAL:
          admitService(call, identity, policy);
          break;
        default:
          throw refused(ErrorReason.PERMISSION_DENIED, "nobody may call this method: it has no policy");
      }
      return next(call, request);
    },
  };
}

async function admitUser(
  call: ServerCall,
  identity: Pick<Identity, "verify">,
  tokens: Pick<TokenVerifier, "verify">,
): Promise<void> {
  const token = bearerToken(call);
  if (token === undefined) throw unauthenticated(ErrorReason.TOKEN_INVALID, "this call needs an access token");
  const { userId, sessionId, scopes } = await tokens.verify(token);
  const carried = call.header(identityHeader);
  const via = carried === undefined ? undefined : identity.verify(carried).name;
  // What a service asks of another one follows from a call that the scopes have allowed already.
  if (scopes !== undefined && (via === undefined || via === edge)) checkScope(call, scopes);
  call.accessToken = token;
  call.caller = { kind: "user", userId, sessionId, ...(via !== undefined && { via }) };
}

function checkScope({ method }: ServerCall, scopes: readonly string[]): void {
  const scope = scopeOf(method);
  if (scopes.includes(scope)) return;
  const message = `the API key lacks the scope ${scope}`;
  throw new ServiceError({ reason: ErrorReason.SCOPE_MISSING, message, metadata: { scope } });
}

function admitService(call: ServerCall, identity: Pick<Identity, "verify">, { callers }: MethodPolicy): void {
  const token = call.header(identityHeader);
  if (token === undefined) throw refused(ErrorReason.CALLER_NOT_ALLOWED, "only services of the mesh may call this");
  const { name } = identity.verify(token);
  if (callers.size > 0 && !callers.has(name)) {
    throw refused(ErrorReason.CALLER_NOT_ALLOWED, "the calling service may not call this method");
  }
  call.accessToken = bearerToken(call);
  call.caller = { kind: "service", name };
}

function bearerToken(call: ServerCall): string | undefined {
  return bearer.exec(call.header("authorization") ?? "")?.[1];
}

function refused(reason: ErrorReason, message: string): ServiceError {
  return new ServiceError({ reason, message });
}
