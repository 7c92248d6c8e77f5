import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { logger } from "#observability/logger.ts";
import { histogram } from "#observability/metrics.ts";
import { attributes } from "#observability/names.ts";
import { Code, codeName, ServiceError } from "../../errors.ts";
import { methodName } from "../definition.ts";
import type { ServerCall } from "../server-call.ts";
import type { ServerInterceptor } from "./interceptor.ts";

const duration = histogram("rpc.server.call.duration");

/** Where the line of a call goes. */
export interface CallLog {
  debug(fields: Record<string, unknown>, message: string): void;
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
  error(fields: Record<string, unknown>, message: string): void;
}

/** A service says so of calls that it makes again and again by itself; their lines would bury those of people's calls. */
const backgroundHeader = "x-mesh-background";

/** One line and one measurement for each call: method, status, duration and caller; nothing of what was said. */
export function log(sink: CallLog = logger("rpc")): ServerInterceptor {
  return {
    name: "log",
    wrap: (next) => async (call, request) => {
      const start = performance.now();
      try {
        const answer = await next(call, request);
        report(sink, call, start, undefined);
        return answer;
      } catch (error) {
        report(sink, call, start, error);
        throw error;
      }
    },
  };
}

function report(sink: CallLog, call: ServerCall, start: number, error: unknown): void {
  const { caller, requestId } = call;
  const elapsedMs = performance.now() - start;
  const method = methodName(call.method);
  const status = error === undefined ? "OK" : codeName(error instanceof ServiceError ? error.code : Code.INTERNAL);
  const reason = error instanceof ServiceError ? ErrorReason[error.reason] : undefined;
  duration.record(elapsedMs / 1000, {
    [attributes.rpcMethod]: method,
    [attributes.rpcStatus]: status,
    [attributes.errorType]: reason,
  });
  sink[levelOf(call, status, reason)](
    {
      [attributes.rpcMethod]: method,
      [attributes.rpcStatus]: status,
      [attributes.reason]: reason,
      [attributes.requestId]: requestId,
      [attributes.callerKind]: caller.kind,
      [attributes.callerName]: caller.kind === "service" ? caller.name : undefined,
      [attributes.userId]: caller.kind === "user" ? caller.userId : undefined,
      duration_ms: Math.round(elapsedMs * 1000) / 1000,
    },
    "call answered",
  );
}

const faults = new Set(["UNKNOWN", "INTERNAL", "DATA_LOSS", "UNIMPLEMENTED"]);
const overloaded = ErrorReason[ErrorReason.OVERLOADED];
const troubles = new Set(["UNAVAILABLE", "DEADLINE_EXCEEDED"]);

/** By the outcome: what is a fault of ours, what is trouble that may pass, and what is an answer like any other. */
function levelOf(call: ServerCall, status: string, reason: string | undefined): keyof CallLog {
  if (faults.has(status)) return "error";
  if (troubles.has(status)) return "warn";
  // There may be thousands a second, and who has too much to do has no time to write of each.
  if (reason === overloaded) return "debug";
  const isBackground = call.caller.kind === "service" && call.header(backgroundHeader) !== undefined;
  return status === "OK" && isBackground ? "debug" : "info";
}
