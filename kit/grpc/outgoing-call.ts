import type { IncomingHttpHeaders } from "node:http2";
import type { DescMethod, Message } from "@bufbuild/protobuf";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { histogram } from "#observability/metrics.ts";
import { attributes, type SpanAttributes } from "#observability/names.ts";
import { injectContext, SpanKind, type SpanOptions, setAttributes, withSpan } from "#observability/tracing.ts";
import { type Identity, identityHeader } from "../auth/identity.ts";
import { Code, codeName, internal, ServiceError, unauthenticated, unavailable } from "../errors.ts";
import { newId } from "../id.ts";
import { type Priority, priorityHeader } from "../overload/priority.ts";
import { type CallEnd, statusOk } from "./call-end.ts";
import type { MeshChannel } from "./channel.ts";
import { MalformedMessage, methodDefinition, methodName } from "./definition.ts";
import { frameOf } from "./message-frames.ts";
import { OutgoingStream, type StreamListener } from "./outgoing-stream.ts";
import { mayRunTwice, retriesHeader, retryBudget } from "./retry-ledger.ts";
import { cancelled, deadlineExceeded } from "./server-call.ts";
import { fromStatus, isOrdinaryAnswer } from "./status.ts";

/** Texts of headers or trailers by lower-case name; binary ones are left out. */
export type HeaderMap = Record<string, string>;

/** Which way calls go, and as whom. */
export interface Route {
  channel: MeshChannel;
  identity: Identity;
}

/** What goes along with a message. */
export interface Outgoing {
  /** In milliseconds since the epoch; Infinity for none. */
  deadlineMs: number;
  headers?: HeaderMap | undefined;
  signal?: AbortSignal | undefined;
  accessToken?: string | undefined;
  requestId?: string | undefined;
  /** Tries beyond the first that the mesh may make of it, when the method may run twice. By default all there are. */
  retries?: number | undefined;
  /** On whose behalf it is made; by its method unless given. */
  priority?: Priority | undefined;
  /** Of a unary call: told what came with the status when that is an error. */
  onFailure?: ((headers: HeaderMap, trailers: HeaderMap) => void) | undefined;
}

const duration = histogram("rpc.client.call.duration");
const printable = /^[\x20-\x7e]*$/;
/** What nobody but this file says. */
const ownNames = new Set([identityHeader, retriesHeader, priorityHeader, "x-request-id", "traceparent", "tracestate"]);
const tokenText = /^[A-Za-z0-9._~+/=-]+$/;

/** An answer; its headers are read only when somebody asks for them. */
export class Answer {
  readonly message: Message;
  readonly #headers: IncomingHttpHeaders | undefined;
  readonly #trailers: IncomingHttpHeaders;

  constructor(message: Message, headers: IncomingHttpHeaders | undefined, trailers: IncomingHttpHeaders) {
    this.message = message;
    this.#headers = headers;
    this.#trailers = trailers;
  }

  get headers(): HeaderMap {
    return this.#headers ? headerMap(this.#headers) : {};
  }

  get trailers(): HeaderMap {
    return headerMap(this.#trailers);
  }
}

/** Calls a unary method. Throws a ServiceError, whatever goes wrong. */
export function callUnary(route: Route, method: DescMethod, request: Message, outgoing: Outgoing): Promise<Answer> {
  const { breakers } = route.channel;
  return observed(method, outgoing, () => breakers.run(method, () => exchange(route, method, request, outgoing)));
}

/** Calls a server stream; a message is fetched when it is asked for. To leave the loop is to cancel the call. */
export async function* callStream(
  route: Route,
  method: DescMethod,
  request: Message,
  outgoing: Outgoing & { onHeader?: (headers: HeaderMap) => void; onTrailer?: (trailers: HeaderMap) => void },
): AsyncGenerator<Message> {
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>();
  // Nobody waits for it when the call could not even be opened.
  ended.catch(() => {});
  const events: (Buffer | CallEnd)[] = [];
  let wake = () => {};
  const push = (event: Buffer | CallEnd) => {
    events.push(event);
    call?.pause();
    wake();
  };
  let call: OutgoingStream | undefined;
  const watched = observed(method, outgoing, () => {
    call = open(route, method, request, outgoing, {
      onHeaders: (headers) => outgoing.onHeader?.(headerMap(headers)),
      onMessage: push,
      onEnd: push,
    });
    call.start();
    return ended;
  });
  watched.catch(() => {});
  const release = cancelOnAbort(call, outgoing.signal);
  try {
    for (;;) {
      if (events.length === 0) {
        const { promise, resolve: next } = Promise.withResolvers<void>();
        wake = next;
        call?.resume();
        await (call ? promise : watched);
      }
      const event = events.shift();
      if (Buffer.isBuffer(event)) yield decode(method, event);
      else if (event) {
        outgoing.onTrailer?.(headerMap(event.trailers));
        if (event.code !== statusOk) throw streamErrorOf(event, outgoing.signal);
        call = undefined;
        return;
      }
    }
  } catch (error) {
    reject(error);
    throw error;
  } finally {
    release();
    call?.cancel(Code.CANCELLED, "no longer wanted");
    resolve();
  }
}

/** As that of any call, but for a stream that Envoy cuts off since the instance that answered it is gone: another goes on. */
function streamErrorOf(end: CallEnd, signal: AbortSignal | undefined): ServiceError {
  if (end.isReset !== true || end.code !== Code.INTERNAL) return errorOf(end, signal);
  return unavailable("the connection to the service was lost", new Error(end.details), 0);
}

async function exchange(route: Route, method: DescMethod, request: Message, outgoing: Outgoing): Promise<Answer> {
  const { promise, resolve } = Promise.withResolvers<CallEnd>();
  let headers: IncomingHttpHeaders | undefined;
  let bytes: Buffer | undefined;
  const call = open(route, method, request, outgoing, {
    onHeaders: (received) => {
      headers = received;
    },
    onMessage: (message) => {
      bytes = message;
    },
    onEnd: resolve,
  });
  call.start();
  const release = cancelOnAbort(call, outgoing.signal);
  const end = await promise;
  release();
  if (end.code !== statusOk) {
    outgoing.onFailure?.(headerMap(headers ?? {}), headerMap(end.trailers));
    throw errorOf(end, outgoing.signal);
  }
  if (!bytes) throw internal(new Error("a unary call ended well and without a message"));
  return new Answer(decode(method, bytes), headers, end.trailers);
}

function open(
  { channel, identity }: Route,
  method: DescMethod,
  request: Message,
  outgoing: Outgoing,
  listener: StreamListener,
): OutgoingStream {
  if (outgoing.signal?.aborted) throw abortError(outgoing.signal);
  const { path, requestSerialize } = methodDefinition(method);
  const headers = headersOf(path, channel, identity, outgoing);
  const frame = frameOf(requestSerialize(request));
  return new OutgoingStream(channel, { headers, frame, deadlineMs: outgoing.deadlineMs }, listener);
}

// The order of HTTP/2: what begins with a colon comes first.
const fixedHeaders = ["content-type", "application/grpc", "te", "trailers", "user-agent", "taskmesh"];

function headersOf(
  path: string,
  { authority }: MeshChannel,
  identity: Identity,
  { headers: given = {}, accessToken, requestId, retries = retryBudget, priority }: Outgoing,
): string[] {
  const headers = [":method", "POST", ":scheme", "http", ":path", path, ":authority", authority, ...fixedHeaders];
  for (const name in given) {
    const value = given[name] as string;
    if (!ownNames.has(name) && !(name === "authorization" && accessToken !== undefined) && printable.test(value)) {
      headers.push(name, value);
    }
  }
  if (accessToken !== undefined) {
    if (!tokenText.test(accessToken)) {
      throw unauthenticated(ErrorReason.TOKEN_INVALID, "the access token is not valid");
    }
    headers.push("authorization", `Bearer ${accessToken}`);
  }
  const id = requestId ?? given["x-request-id"];
  headers.push(identityHeader, identity.token(), "x-request-id", id && printable.test(id) ? id : newId());
  headers.push(retriesHeader, String(retries));
  if (priority !== undefined) headers.push(priorityHeader, priority);
  const context = injectContext<HeaderMap>({});
  for (const name in context) headers.push(name, context[name] as string);
  return headers;
}

const spanOptions = new WeakMap<DescMethod, SpanOptions>();

function spanOptionsOf(method: DescMethod): SpanOptions {
  let options = spanOptions.get(method);
  if (options === undefined) {
    const ofCall = { [attributes.rpcSystem]: "grpc", [attributes.rpcMethod]: methodName(method) };
    options = { kind: SpanKind.CLIENT, attributes: ofCall, isExpected: isOrdinaryAnswer };
    spanOptions.set(method, options);
  }
  return options;
}

/** The span and the measurement of a call, and the ServiceError of whatever it throws. */
function observed<T>(method: DescMethod, outgoing: Outgoing, run: () => Promise<T>): Promise<T> {
  const name = methodName(method);
  const start = performance.now();
  return withSpan(name, spanOptionsOf(method), async (span) => {
    let code = "OK";
    let reason: string | undefined;
    if (span.isRecording()) setAttributes(span, ledgerOf(method, outgoing));
    try {
      return await run();
    } catch (thrown) {
      const error = asServiceError(thrown);
      code = codeName(error.code);
      reason = ErrorReason[error.reason];
      throw error;
    } finally {
      setAttributes(span, { [attributes.rpcStatus]: code });
      duration.record((performance.now() - start) / 1000, {
        [attributes.rpcMethod]: name,
        [attributes.rpcStatus]: code,
        [attributes.errorType]: reason,
      });
    }
  });
}

/** What the call has left when it begins. */
function ledgerOf(method: DescMethod, { deadlineMs, retries = retryBudget }: Outgoing): SpanAttributes {
  return {
    [attributes.deadlineRemaining]: Number.isFinite(deadlineMs) ? Math.round(deadlineMs - Date.now()) : undefined,
    [attributes.retryLeft]: mayRunTwice(method) ? retries : 0,
  };
}

function asServiceError(thrown: unknown): ServiceError {
  return thrown instanceof ServiceError ? thrown : internal(thrown);
}

function decode(method: DescMethod, bytes: Buffer): Message {
  const message = methodDefinition(method).responseDeserialize(bytes);
  if (message instanceof MalformedMessage) throw internal(message.cause);
  return message;
}

function errorOf(end: CallEnd, signal: AbortSignal | undefined): ServiceError {
  return end.code === Code.CANCELLED && signal?.aborted ? abortError(signal) : fromStatus(end);
}

function abortError({ reason }: AbortSignal): ServiceError {
  if (reason instanceof ServiceError) return reason;
  return reason instanceof DOMException && reason.name === "TimeoutError" ? deadlineExceeded() : cancelled();
}

function cancelOnAbort(call: OutgoingStream | undefined, signal: AbortSignal | undefined): () => void {
  if (!call || !signal) return () => {};
  const cancel = () => call.cancel(Code.CANCELLED, "cancelled by the caller");
  signal.addEventListener("abort", cancel, { once: true });
  return () => signal.removeEventListener("abort", cancel);
}

const ownTrailers = new Set(["grpc-status", "grpc-message"]);

function headerMap(received: IncomingHttpHeaders): HeaderMap {
  const map: HeaderMap = {};
  for (const name in received) {
    const value = received[name];
    if (typeof value !== "string" || name.startsWith(":") || name.endsWith("-bin") || ownTrailers.has(name)) continue;
    map[name] = value;
  }
  return map;
}
