import { context, propagation } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";

/**
 * The context follows asynchronous calls, and traceparent and tracestate cross borders, also in a process that
 * exports nothing: it must not break the trace of its neighbours. Baggage is left out: it comes from strangers.
 */
export function startPropagation(): void {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
}
