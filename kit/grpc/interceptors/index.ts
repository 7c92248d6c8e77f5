import type { Identity } from "../../auth/identity.ts";
import type { TokenVerifier } from "../../auth/tokens.ts";
import type { LoadShed } from "../../overload/load-shed.ts";
import { authorize } from "./authorize.ts";
import { deadline } from "./deadline.ts";
import { errors } from "./errors.ts";
import type { ServerInterceptor } from "./interceptor.ts";
import { log } from "./log.ts";
import { shed } from "./shed.ts";
import { standing } from "./standing.ts";
import { trace } from "./trace.ts";
import { validate } from "./validate.ts";

/** The chain around every handler, outermost first. */
export function serverInterceptors(parts: {
  identity: Identity;
  tokens: TokenVerifier;
  load?: LoadShed | undefined;
}): ServerInterceptor[] {
  return [
    trace,
    log(),
    errors(), // inside trace and log, so that both see what the caller gets
    ...(parts.load ? [shed(parts.load)] : []), // before anything that costs
    deadline, // before anything that may wait
    authorize(parts.identity, parts.tokens),
    standing(parts.tokens),
    validate, // last: a stranger learns nothing about the rules of a request
  ];
}
