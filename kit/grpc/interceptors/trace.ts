import { attributes, type SpanAttributes } from "#observability/names.ts";
import { extractContext, type Span, SpanKind, setAttributes, withSpan } from "#observability/tracing.ts";
import { Code, codeName, ServiceError } from "../../errors.ts";
import { methodName } from "../definition.ts";
import type { ServerCall } from "../server-call.ts";
import { isOrdinaryAnswer } from "../status.ts";
import type { ServerInterceptor } from "./interceptor.ts";

/** A server span for each call, as a child of the caller's span (W3C trace context). */
export const trace: ServerInterceptor = {
  name: "trace",
  wrap: (next) => (call, request) => {
    const name = methodName(call.method);
    const options = {
      kind: SpanKind.SERVER,
      parent: extractContext({ traceparent: call.header("traceparent"), tracestate: call.header("tracestate") }),
      attributes: { [attributes.rpcSystem]: "grpc", [attributes.rpcMethod]: name },
      isExpected: isOrdinaryAnswer,
    };
    return withSpan(name, options, async (span) => {
      if (span.isRecording()) setAttributes(span, ledgerOf(call));
      try {
        const answer = await next(call, request);
        describe(span, call, "OK");
        return answer;
      } catch (error) {
        describe(span, call, codeName(error instanceof ServiceError ? error.code : Code.INTERNAL));
        throw error;
      }
    });
  },
};

/** What the call has left when it begins here. */
function ledgerOf({ deadlineMs, retries }: ServerCall): SpanAttributes {
  return {
    [attributes.deadlineRemaining]: Number.isFinite(deadlineMs) ? Math.round(deadlineMs - Date.now()) : undefined,
    [attributes.retryAttempt]: retries.attempt,
    [attributes.retryLeft]: retries.left,
  };
}

function describe(span: Span, call: ServerCall, status: string): void {
  if (!span.isRecording()) return;
  const { caller } = call;
  setAttributes(span, {
    [attributes.rpcStatus]: status,
    [attributes.requestId]: call.requestId,
    [attributes.callerKind]: caller.kind,
    [attributes.callerName]: caller.kind === "service" ? caller.name : undefined,
    [attributes.userId]: caller.kind === "user" ? caller.userId : undefined,
  });
}
