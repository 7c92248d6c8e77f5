import { logger } from "#observability/logger.ts";
import { attributes } from "#observability/names.ts";
import { internal, ServiceError } from "../../errors.ts";
import { methodName } from "../definition.ts";
import type { ServerInterceptor } from "./interceptor.ts";

/** Where faults of ours go, in full. */
export interface FaultLog {
  error(fields: Record<string, unknown>, message: string): void;
}

/**
 * Everything that is thrown leaves as a ServiceError. What is not one already is a fault of ours: logged once in full,
 * under the trace id, and answered with INTERNAL and a text that tells nothing.
 */
export function errors(sink: FaultLog = logger("rpc")): ServerInterceptor {
  return {
    name: "errors",
    wrap: (next) => async (call, request) => {
      try {
        return await next(call, request);
      } catch (error) {
        // What an aborted handler throws on its way out says less than why it was aborted.
        const known = error instanceof ServiceError ? error : (call.abortReason ?? internal(error));
        const isAnswer = known === call.abortReason || (known === error && known.cause === undefined);
        if (!isAnswer) {
          const fields = { [attributes.rpcMethod]: methodName(call.method), [attributes.requestId]: call.requestId };
          sink.error({ ...fields, error }, "call failed");
        }
        throw known;
      }
    },
  };
}
