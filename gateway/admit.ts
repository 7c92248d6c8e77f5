import type { DescMethod } from "@bufbuild/protobuf";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { ServiceError } from "#kit/errors.ts";
import { type MethodPolicy, policyOf } from "#kit/grpc/policy.ts";
import { priorityOf, shedHeader } from "#kit/overload/priority.ts";
import { authenticate } from "./authenticate.ts";
import type { GatewayContext } from "./context.ts";
import type { EdgeCall } from "./edge-call.ts";
import { notExposed } from "./errors/edge-error.ts";

/**
 * Whether a call may be made at all: before anything of its message is read, and the same for every protocol. Throws
 * UNAUTHENTICATED, RESOURCE_EXHAUSTED when it is one too many, which counts for callers with bad tokens first, or more than
 * this process can do, or UNIMPLEMENTED.
 */
export async function admit(context: GatewayContext, call: EdgeCall, method: DescMethod): Promise<void> {
  const { load } = context;
  const policy = policyOf(method);
  if (policy === undefined) throw notExposed(method);
  call.load = load;
  mustHaveRoom(call, method);
  const settle = () => settleCaller(context, call, method, policy);
  await (load === undefined ? settle() : load.hold(settle));
  const { passes } = context.openness;
  if (passes !== undefined) call.passing = headersLike(passes, call);
}

/** Who calls, and whether that is one call too many of theirs. */
async function settleCaller(context: GatewayContext, call: EdgeCall, method: DescMethod, policy: MethodPolicy) {
  const { limits } = context;
  const token = await authenticate(call, method, context).catch(async (error: unknown) => {
    const isCounted = error instanceof ServiceError && error.reason === ErrorReason.RATE_LIMITED;
    if (!isCounted) await limits.countCall(call, policy, undefined);
    throw error;
  });
  await limits.countCall(call, policy, token);
}

/** Throws RESOURCE_EXHAUSTED where the call is more than this process can do just now, and tells Envoy. */
export function mustHaveRoom({ load, answerHeader }: EdgeCall, method: DescMethod): void {
  try {
    load?.check(priorityOf(method));
  } catch (error) {
    answerHeader(shedHeader, "1");
    throw error;
  }
}

function headersLike(pattern: RegExp, { headers }: EdgeCall): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => (pattern.test(name) ? [[name, String(value)]] : [])),
  );
}
