import type { DescMethod, Message } from "@bufbuild/protobuf";
import { type InterceptingListener, Metadata, type StatusObject, status } from "@grpc/grpc-js";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { histogram } from "#observability/metrics.ts";
import { attributes } from "#observability/names.ts";
import { injectContext, SpanKind, setAttributes, withSpan } from "#observability/tracing.ts";
import { type Identity, identityHeader } from "../auth/identity.ts";
import { codeName, internal, ServiceError, unauthenticated, unavailable } from "../errors.ts";
import { newId } from "../id.ts";
import type { MeshChannel } from "./channel.ts";
import { MalformedMessage, methodDefinition, methodName } from "./definition.ts";
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
}

type Transport = ReturnType<ReturnType<MeshChannel["next"]>["createCall"]>;

const duration = histogram("rpc.client.call.duration");
const printable = /^[\x20-\x7e]*$/;
const tokenText = /^[A-Za-z0-9._~+/=-]+$/;

/** An answer; its headers are read only when somebody asks for them. */
export class Answer {
  readonly message: Message;
  readonly #headers: Metadata | undefined;
  readonly #trailers: Metadata;

  constructor(message: Message, headers: Metadata | undefined, trailers: Metadata) {
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
  return observed(method, () => exchange(route, method, request, outgoing));
}

/** Calls a server stream; a message is fetched when it is asked for. To leave the loop is to cancel the call. */
export async function* callStream(
  route: Route,
  method: DescMethod,
  request: Message,
  outgoing: Outgoing & { onHeader?: (headers: HeaderMap) => void; onTrailer?: (trailers: HeaderMap) => void },
): AsyncGenerator<Message> {
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>();
  const events: (Buffer | StatusObject)[] = [];
  let wake = () => {};
  const push = (event: Buffer | StatusObject) => {
    events.push(event);
    wake();
  };
  let call: Transport | undefined;
  const watched = observed(method, () => {
    call = open(route, method, request, outgoing, {
      onReceiveMetadata: (metadata) => outgoing.onHeader?.(headerMap(metadata)),
      onReceiveMessage: push,
      onReceiveStatus: push,
    });
    return ended;
  });
  watched.catch(() => {});
  const release = cancelOnAbort(call, outgoing.signal);
  try {
    for (;;) {
      if (events.length === 0) {
        const { promise, resolve: next } = Promise.withResolvers<void>();
        wake = next;
        call?.startRead();
        await (call ? promise : watched);
      }
      const event = events.shift();
      if (Buffer.isBuffer(event)) yield decode(method, event);
      else if (event) {
        outgoing.onTrailer?.(headerMap(event.metadata));
        if (event.code !== status.OK) throw errorOf(event, outgoing.signal);
        call = undefined;
        return;
      }
    }
  } catch (error) {
    reject(error);
    throw error;
  } finally {
    release();
    call?.cancelWithStatus(status.CANCELLED, "no longer wanted");
    resolve();
  }
}

async function exchange(route: Route, method: DescMethod, request: Message, outgoing: Outgoing): Promise<Answer> {
  const { promise, resolve } = Promise.withResolvers<StatusObject>();
  let headers: Metadata | undefined;
  let bytes: Buffer | undefined;
  const call = open(route, method, request, outgoing, {
    onReceiveMetadata: (metadata) => {
      headers = metadata;
    },
    onReceiveMessage: (message) => {
      bytes = message;
    },
    onReceiveStatus: resolve,
  });
  call.startRead();
  const release = cancelOnAbort(call, outgoing.signal);
  const end = await promise;
  release();
  if (end.code !== status.OK) throw errorOf(end, outgoing.signal);
  if (!bytes) throw internal(new Error("a unary call ended well and without a message"));
  return new Answer(decode(method, bytes), headers, end.metadata);
}

function open(
  { channel, identity }: Route,
  method: DescMethod,
  request: Message,
  outgoing: Outgoing,
  listener: InterceptingListener,
): Transport {
  if (outgoing.signal?.aborted) throw abortError(outgoing.signal);
  const { path, requestSerialize } = methodDefinition(method);
  const metadata = metadataOf(identity, outgoing);
  const bytes = requestSerialize(request);
  const call = channel.next().createCall(path, outgoing.deadlineMs, null, null, null);
  call.start(metadata, listener);
  call.sendMessageWithContext({}, bytes);
  call.halfClose();
  return call;
}

function metadataOf(identity: Identity, { headers = {}, accessToken, requestId }: Outgoing): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) {
    if (printable.test(value)) metadata.set(name, value);
  }
  if (accessToken !== undefined) {
    if (!tokenText.test(accessToken)) {
      throw unauthenticated(ErrorReason.TOKEN_INVALID, "the access token is not valid");
    }
    metadata.set("authorization", `Bearer ${accessToken}`);
  }
  metadata.set(identityHeader, identity.token());
  metadata.set("x-request-id", requestId ?? headers["x-request-id"] ?? newId());
  for (const [name, value] of Object.entries(injectContext<HeaderMap>({}))) metadata.set(name, value);
  return metadata;
}

/** The span and the measurement of a call, and the ServiceError of whatever it throws. */
async function observed<T>(method: DescMethod, run: () => Promise<T>): Promise<T> {
  const name = methodName(method);
  const start = performance.now();
  const options = {
    kind: SpanKind.CLIENT,
    attributes: { [attributes.rpcSystem]: "grpc", [attributes.rpcMethod]: name },
    isExpected: isOrdinaryAnswer,
  };
  return withSpan(name, options, async (span) => {
    let code = "OK";
    let reason: string | undefined;
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

function asServiceError(thrown: unknown): ServiceError {
  if (thrown instanceof ServiceError) return thrown;
  const isClosed = thrown instanceof Error && thrown.message === "Channel has been shut down";
  return isClosed ? unavailable("this process is closing", thrown) : internal(thrown);
}

function decode(method: DescMethod, bytes: Buffer): Message {
  const message = methodDefinition(method).responseDeserialize(bytes);
  if (message instanceof MalformedMessage) throw internal(message.cause);
  return message;
}

function errorOf(end: StatusObject, signal: AbortSignal | undefined): ServiceError {
  return end.code === status.CANCELLED && signal?.aborted ? abortError(signal) : fromStatus(end);
}

function abortError({ reason }: AbortSignal): ServiceError {
  if (reason instanceof ServiceError) return reason;
  return reason instanceof DOMException && reason.name === "TimeoutError" ? deadlineExceeded() : cancelled();
}

function cancelOnAbort(call: Transport | undefined, signal: AbortSignal | undefined): () => void {
  if (!call || !signal) return () => {};
  const cancel = () => call.cancelWithStatus(status.CANCELLED, "cancelled by the caller");
  signal.addEventListener("abort", cancel, { once: true });
  return () => signal.removeEventListener("abort", cancel);
}

function headerMap(metadata: Metadata): HeaderMap {
  const map: HeaderMap = {};
  for (const [name, value] of Object.entries(metadata.getMap())) {
    if (typeof value === "string") map[name] = value;
  }
  return map;
}
