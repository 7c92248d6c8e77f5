import { context, propagation, type Span, trace } from "@opentelemetry/api";
import { AlwaysOffSampler, ParentBasedSampler, TracerProvider } from "@opentelemetry/sdk-trace";
import { afterEach, beforeEach, expect, it } from "vitest";
import { startPropagation } from "./propagation.ts";
import { activeTraceId, extractContext, injectContext, recordedSpan, setAttributes, withSpan } from "./tracing.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const caller = "b7ad6b7169203331";
const carrier = (flags: "00" | "01") => ({ traceparent: `00-${traceId}-${caller}-${flags}` });
let started: string[] = [];

beforeEach(() => {
  started = [];
  const processor = {
    onStart: (span: unknown) => void started.push((span as { name: string }).name),
    onEnd: () => {},
    forceFlush: async () => {},
    shutdown: async () => {},
  };
  startPropagation();
  const sampler = new ParentBasedSampler({ root: new AlwaysOffSampler() });
  trace.setGlobalTracerProvider(new TracerProvider({ sampler, spanProcessors: [processor] }));
});

afterEach(() => {
  trace.disable();
  propagation.disable();
  context.disable();
});

/** What the next process gets to see from inside two spans, one in the other. */
function sentOn(flags: "00" | "01"): Promise<{ traceparent?: string }> {
  const options = { parent: extractContext(carrier(flags)) };
  return withSpan("taskmesh one", options, () =>
    withSpan("taskmesh two", {}, async (span: Span) => {
      await Promise.resolve();
      setAttributes(span, { "db.operation.name": "GET" });
      expect(activeTraceId()).toBe(traceId);
      return injectContext<{ traceparent?: string }>({});
    }),
  );
}

it("makes a span for each step of a trace that is kept", async () => {
  const { traceparent } = await sentOn("01");
  expect(started).toEqual(["taskmesh one", "taskmesh two"]);
  expect(traceparent).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
  expect(traceparent).not.toContain(caller);
});

it("makes none in a trace that is not kept, and hands the decision on", async () => {
  expect(await sentOn("00")).toEqual(carrier("00"));
  expect(started).toEqual([]);
  expect(injectContext({}, recordedSpan("outbox wait", 1, 2, extractContext(carrier("00"))))).toEqual(carrier("00"));
});

it("leaves errors as they are, whether the trace is kept or not", async () => {
  for (const flags of ["00", "01"] as const) {
    const failing = withSpan("taskmesh one", { parent: extractContext(carrier(flags)) }, () => {
      throw new RangeError("no");
    });
    await expect(failing).rejects.toThrow(RangeError);
  }
});

it("hands a decision not to keep on to later steps when there is no caller", async () => {
  const { traceparent } = await withSpan("taskmesh one", {}, () => injectContext<{ traceparent?: string }>({}));
  expect(traceparent).toMatch(/-00$/);
  expect(started).toEqual([]);
});
