import type { TokenVerifier } from "../../auth/tokens.ts";
import { Code, ServiceError } from "../../errors.ts";
import type { ServerCall } from "../server-call.ts";
import type { ServerInterceptor } from "./interceptor.ts";

// With the half second that a revocation takes to get here, a stream ends within one.
const lookMs = 400;

/**
 * A stream lasts no longer than the right to it: it ends with UNAUTHENTICATED when the token of its caller expires or the
 * session is revoked. Other calls are over before that matters.
 */
export function standing(tokens: Pick<TokenVerifier, "verify">): ServerInterceptor {
  return {
    name: "standing",
    wrap: (next) => (call, request) => {
      if (call.method.methodKind === "unary" || call.caller.kind !== "user") return next(call, request);
      const timer = setInterval(() => look(call, tokens), lookMs);
      return next(call, request).finally(() => clearInterval(timer));
    },
  };
}

async function look(call: ServerCall, tokens: Pick<TokenVerifier, "verify">): Promise<void> {
  try {
    await tokens.verify(call.accessToken ?? "");
  } catch (error) {
    // That the keys cannot be had just now says nothing about the token.
    if (error instanceof ServiceError && error.code === Code.UNAUTHENTICATED) call.abort(error);
  }
}
