import type { DescMethod } from "@bufbuild/protobuf";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { ServiceError } from "#kit/errors.ts";
import { policyOf } from "#kit/grpc/policy.ts";
import { priorityOf } from "#kit/overload/priority.ts";
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
  const { limits, load } = context;
  const policy = policyOf(method);
  if (policy === undefined) throw notExposed(method);
  load?.check(priorityOf(method));
  call.load = load;
  const token = await authenticate(call, method, context).catch(async (error: unknown) => {
    const isCounted = error instanceof ServiceError && error.reason === ErrorReason.RATE_LIMITED;
    if (!isCounted) await limits.countCall(call, policy, undefined);
    throw error;
  });
  await limits.countCall(call, policy, token);
  const { passes } = context.openness;
  if (passes !== undefined) call.passing = headersLike(passes, call);
}

function headersLike(pattern: RegExp, { headers }: EdgeCall): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => (pattern.test(name) ? [[name, String(value)]] : [])),
  );
}
