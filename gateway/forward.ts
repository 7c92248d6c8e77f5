import type { DescMethod, Message } from "@bufbuild/protobuf";
import { areTokens, consistencyHeader } from "#kit/consistency/token.ts";
import { invalidArgument } from "#kit/errors.ts";
import type { Answer, HeaderMap } from "#kit/grpc/outgoing-call.ts";
import type { Forwarder, ForwardOptions } from "#kit/grpc/raw-client.ts";
import { deadlineExceeded } from "#kit/grpc/server-call.ts";
import { mustBeValid } from "#kit/grpc/validation.ts";
import { priorityOf } from "#kit/overload/priority.ts";
import { attributes } from "#observability/names.ts";
import { activeSpan, setAttributes } from "#observability/tracing.ts";
import { mustHaveRoom } from "./admit.ts";
import type { EdgeCall } from "./edge-call.ts";
import { conditionHeaders } from "./etag.ts";

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
export async function forwardUnary(
  forwarder: Forwarder,
  call: EdgeCall,
  method: DescMethod,
  { message, onFailure, ...waiting }: Waiting & { message: Message; onFailure?: ForwardOptions["onFailure"] },
): Promise<Answer> {
  const send = async () => {
    mustBeValid(method.input, message);
    const options = { ...optionsOf(call, method, waiting), onFailure };
    const send = () => forwarder.forwardUnary(method, message, options);
    // Others may have come while this one's message was read.
    mustHaveRoom(call, method);
    return call.load === undefined ? send() : call.load.run(method, priorityOf(method), send);
  };
  return call.sessionCookies ? call.sessionCookies.around(call, method, message, send) : send();
}

/** Sends a call with a stream of answers into the mesh. Throws ServiceError, in the midst of the stream too. */
export function forwardStream(
  forwarder: Forwarder,
  call: EdgeCall,
  method: DescMethod,
  { message, onHeader, onTrailer, ...waiting }: Waiting & { message: Message } & StreamEvents,
): AsyncIterable<Message> {
  mustBeValid(method.input, message);
  return forwarder.forwardStream(method, message, { ...optionsOf(call, method, waiting), onHeader, onTrailer });
}

export interface StreamEvents {
  onHeader?: (headers: HeaderMap) => void;
  onTrailer?: (trailers: HeaderMap) => void;
}

/** Only what is named here reaches a service: a header that claims an identity is not among it. */
function optionsOf(call: EdgeCall, method: DescMethod, { timeoutMs, signal }: Waiting): ForwardOptions {
  if (timeoutMs !== undefined && timeoutMs <= hopMs) throw deadlineExceeded();
  const span = activeSpan();
  if (timeoutMs !== undefined && span) setAttributes(span, { [attributes.deadlineRemaining]: Math.round(timeoutMs) });
  const headers: HeaderMap = {
    ...call.passing,
    "x-client-ip": call.clientAddress,
    ...conditionHeaders(method, call.headers),
  };
  const { "idempotency-key": idempotencyKey, [consistencyHeader]: written } = call.headers;
  if (written !== undefined) headers[consistencyHeader] = checkedTokens(String(written));
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

/** One that were dropped would let a read miss what it asks for. */
function checkedTokens(tokens: string): string {
  if (areTokens(tokens)) return tokens;
  throw invalidArgument("consistency_token", "must be what a write answered, or several of them with commas between");
}

const ownHeaders =
  /^(?:content-|grpc-|x-envoy-|x-mesh-|x-request-id$|server$|date$|trailer$|te$|connection$|transfer-)/;

/** The headers or trailers of an answer that a service set and a client may see. */
export function visibleHeaders(headers: HeaderMap): [string, string][] {
  return Object.entries(headers).filter(([name]) => !ownHeaders.test(name));
}
