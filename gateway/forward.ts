import type { DescMethod, Message } from "@bufbuild/protobuf";
import { invalidArgument } from "#kit/errors.ts";
import type { Answer, HeaderMap } from "#kit/grpc/outgoing-call.ts";
import type { Forwarder, ForwardOptions } from "#kit/grpc/raw-client.ts";
import { deadlineExceeded } from "#kit/grpc/server-call.ts";
import type { EdgeCall } from "./edge-call.ts";
import { applyIfMatch } from "./etag.ts";

// The gateway keeps this much of the client's time for itself, so that the service is the one that reports a timeout.
const hopMs = 20;
const idempotencyKeys = /^[\x21-\x7e]{1,255}$/;

/** What a protocol adds to the call: how long the client waits, and whether it still does. */
export interface Waiting {
  /** In milliseconds from now; undefined when the client does not say. */
  timeoutMs: number | undefined;
  signal: AbortSignal;
}

/** Sends a unary call into the mesh. All protocols come through here. Throws ServiceError. */
export function forwardUnary(
  forwarder: Forwarder,
  call: EdgeCall,
  method: DescMethod,
  { message, ...waiting }: Waiting & { message: Message },
): Promise<Answer> {
  applyIfMatch(method, message, call.headers["if-match"]);
  return forwarder.forwardUnary(method, message, optionsOf(call, waiting));
}

/** Sends a call with a stream of answers into the mesh. Throws ServiceError, in the midst of the stream too. */
export function forwardStream(
  forwarder: Forwarder,
  call: EdgeCall,
  method: DescMethod,
  { message, onHeader, onTrailer, ...waiting }: Waiting & { message: Message } & StreamEvents,
): AsyncIterable<Message> {
  applyIfMatch(method, message, call.headers["if-match"]);
  return forwarder.forwardStream(method, message, { ...optionsOf(call, waiting), onHeader, onTrailer });
}

export interface StreamEvents {
  onHeader?: (headers: HeaderMap) => void;
  onTrailer?: (trailers: HeaderMap) => void;
}

/** Only what is named here reaches a service: a header that claims an identity is not among it. */
function optionsOf(call: EdgeCall, { timeoutMs, signal }: Waiting): ForwardOptions {
  if (timeoutMs !== undefined && timeoutMs <= hopMs) throw deadlineExceeded();
  const headers: HeaderMap = { "x-client-ip": call.clientAddress };
  const { "if-match": ifMatch, "idempotency-key": idempotencyKey } = call.headers;
  if (ifMatch !== undefined) headers["if-match"] = ifMatch;
  if (idempotencyKey !== undefined) headers["idempotency-key"] = checkedKey(String(idempotencyKey));
  return {
    headers,
    timeoutMs: timeoutMs === undefined ? undefined : timeoutMs - hopMs,
    signal,
    accessToken: call.accessToken,
    requestId: call.requestId,
  };
}

/** A key that were dropped on the way would let a repeated call do its work twice. */
function checkedKey(key: string): string {
  if (idempotencyKeys.test(key)) return key;
  throw invalidArgument("idempotency_key", "must be 1 to 255 visible ASCII characters");
}

const ownHeaders =
  /^(?:content-|grpc-|x-envoy-|x-mesh-|x-request-id$|server$|date$|trailer$|te$|connection$|transfer-)/;

/** The headers or trailers of an answer that a service set and a client may see. */
export function visibleHeaders(headers: HeaderMap): [string, string][] {
  return Object.entries(headers).filter(([name]) => !ownHeaders.test(name));
}
