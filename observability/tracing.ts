import {
  type Attributes,
  type Context,
  context,
  INVALID_SPAN_CONTEXT,
  type Link,
  ProxyTracerProvider,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  type TimeInput,
  TraceFlags,
  type Tracer,
  type TracerProvider,
  trace,
} from "@opentelemetry/api";
import { errorType } from "./error-type.ts";
import { attributes, type SpanAttributes, type SpanName } from "./names.ts";

export type { Context, Link, Span, TimeInput };
export { ROOT_CONTEXT, SpanKind };

/** The one tracer; it costs next to nothing while tracing is off. */
const tracer: Tracer = trace.getTracer("taskmesh");

export interface SpanOptions {
  /** INTERNAL unless given. */
  kind?: SpanKind;
  attributes?: SpanAttributes;
  /** The active context unless given. */
  parent?: Context;
  links?: Link[];
  startTime?: TimeInput;
  /** True for an error that is an ordinary answer (a task that does not exist): the span is not marked as failed. */
  isExpected?: (error: unknown) => boolean;
}

/**
 * Runs `fn` inside a new span, which ends with it. A thrown error marks the span by its type and is thrown on.
 * In a trace that is not kept there is no new span: `fn` gets the caller's, which records nothing.
 */
export async function withSpan<T>(
  name: SpanName,
  options: SpanOptions,
  fn: (span: Span) => Promise<T> | T,
): Promise<T> {
  const { isExpected, parent = context.active(), attributes: given, ...rest } = options;
  const unkept = isTracing() ? unkeptSpan(parent) : (trace.getSpan(parent) ?? noSpan);
  if (unkept !== undefined)
    return parent === context.active() ? fn(unkept) : context.with(parent, fn, undefined, unkept);
  const span = startSpan(name, { ...rest, attributes: given }, parent);
  try {
    return await context.with(trace.setSpan(parent, span), fn, undefined, span);
  } catch (error) {
    if (isExpected?.(error)) setAttributes(span, { [attributes.errorType]: errorType(error) });
    else markFailed(span, error);
    throw error;
  } finally {
    span.end();
  }
}

/** Records a time that has passed already, such as a wait in a queue, as a span of its own. Answers with its context. */
export function recordedSpan(
  name: SpanName,
  start: TimeInput,
  end: TimeInput,
  parent: Context = context.active(),
  options: SpanAttributes | { attributes?: SpanAttributes; kind?: SpanKind; links?: Link[] } = {},
): Context {
  if (!isTracing() || unkeptSpan(parent) !== undefined) return parent;
  const given = isOptions(options) ? options : { attributes: options };
  const span = startSpan(name, { ...given, startTime: start }, parent);
  span.end(end);
  return trace.setSpan(parent, span);
}

const noSpan = trace.wrapSpanContext(INVALID_SPAN_CONTEXT);

let tracingProvider: TracerProvider | undefined;

/** Whether somebody takes spans; without, there is nothing but the caller's own context to hand on. */
function isTracing(): boolean {
  const provider = trace.getTracerProvider();
  if (provider === tracingProvider) return true;
  const isOn = !(provider instanceof ProxyTracerProvider) || provider.getDelegateTracer("taskmesh") !== undefined;
  if (isOn) tracingProvider = provider;
  return isOn;
}

/** A span that its maker ends, with a context that is not the active one for others. `withSpan` where that will do. */
export function startSpan(
  name: SpanName,
  { attributes: given, ...rest }: Pick<SpanOptions, "kind" | "attributes" | "links" | "startTime">,
  parent: Context = context.active(),
): Span {
  return tracer.startSpan(name, { ...rest, attributes: given as Attributes }, parent);
}

/** Sets attributes that the table of names knows. */
export function setAttributes(span: Span, values: SpanAttributes): void {
  if (span.isRecording()) span.setAttributes(values as Attributes);
}

/** Marks a span as failed by the type of the error; a message could carry what a person wrote. */
export function markFailed(span: Span, error: unknown): void {
  const type = errorType(error);
  span.setStatus({ code: SpanStatusCode.ERROR, message: type });
  setAttributes(span, { [attributes.errorType]: type });
}

/** The active span, if there is one. */
export function activeSpan(): Span | undefined {
  return trace.getActiveSpan();
}

/** The id of the active trace, for answers and logs; undefined outside of any. */
export function activeTraceId(): string | undefined {
  return trace.getActiveSpan()?.spanContext().traceId;
}

/** Runs `fn` with a context as the active one, such as what `extractContext` answered. */
export function withContext<T>(active: Context, fn: () => T): T {
  return context.with(active, fn);
}

/** The active context, to carry across a border where it would get lost. */
export function activeContext(): Context {
  return context.active();
}

/** A link to the span that a context carries, or nothing when it carries none. */
export function linksTo(carried: Context): Link[] {
  const spanContext = trace.getSpanContext(carried);
  return spanContext && trace.isSpanContextValid(spanContext) ? [{ context: spanContext }] : [];
}

/** What `extractContext` reads: headers of HTTP, gRPC metadata as an object, headers of Kafka. */
export type IncomingCarrier = Record<string, string | Buffer | readonly (string | Buffer)[] | undefined>;

const getter: TextMapGetter<IncomingCarrier> = {
  keys: (carrier) => Object.keys(carrier),
  get: (carrier, key) => {
    const value = carrier[key];
    const first = Array.isArray(value) ? value[0] : value;
    return first === undefined ? undefined : first.toString();
  },
};

/** Writes traceparent and tracestate of a context (the active one unless given) into a carrier and answers with it. */
export function injectContext<C extends Record<string, unknown>>(carrier: C, from: Context = context.active()): C {
  if (trace.getSpan(from) === undefined) return carrier;
  propagation.inject(from, carrier, {
    set: (target, key, value) => {
      (target as Record<string, unknown>)[key] = value;
    },
  });
  return carrier;
}

/** The context that a carrier's traceparent and tracestate tell of; an empty one when they are absent or broken. */
export function extractContext(carrier: IncomingCarrier, base: Context = ROOT_CONTEXT): Context {
  if (carrier.traceparent === undefined) return base;
  return propagation.extract(base, carrier, getter);
}

/**
 * The span of a trace that somebody before us has decided not to keep. It stands for all spans that would follow: most
 * calls are of this kind, and to make spans only to throw them away would cost them more than everything else of tracing.
 */
function unkeptSpan(parent: Context): Span | undefined {
  const span = trace.getSpan(parent);
  if (span === undefined || span.isRecording()) return undefined;
  const spanContext = span.spanContext();
  const isDecided = trace.isSpanContextValid(spanContext) && (spanContext.traceFlags & TraceFlags.SAMPLED) === 0;
  return isDecided ? span : undefined;
}

function isOptions(value: object): value is { attributes?: SpanAttributes; kind?: SpanKind; links?: Link[] } {
  return "attributes" in value || "kind" in value || "links" in value;
}
