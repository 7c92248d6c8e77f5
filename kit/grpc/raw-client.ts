import type { DescMethod, Message } from "@bufbuild/protobuf";
import { type Answer, callStream, callUnary, type HeaderMap, type Outgoing, type Route } from "./outgoing-call.ts";
import { timeoutOf } from "./policy.ts";

export interface ForwardOptions {
  headers?: HeaderMap;
  /** In milliseconds; the policy of the method may make it shorter. */
  timeoutMs?: number;
  signal?: AbortSignal;
  /** The user's bearer token, without the word Bearer. */
  accessToken?: string;
  requestId?: string;
  /** Told what came with the status of a unary call when that is an error. */
  onFailure?: (headers: HeaderMap, trailers: HeaderMap) => void;
}

export interface ForwardStreamOptions extends ForwardOptions {
  onHeader?: (headers: HeaderMap) => void;
  onTrailer?: (trailers: HeaderMap) => void;
}

/** Calls any method of the mesh by its descriptor. Failures are ServiceErrors, as with a typed client. */
export interface Forwarder {
  forwardUnary(method: DescMethod, message: Message, options?: ForwardOptions): Promise<Answer>;
  forwardStream(method: DescMethod, message: Message, options?: ForwardStreamOptions): AsyncIterable<Message>;
}

export function forwarder(route: Route): Forwarder {
  return {
    forwardUnary: (method, message, options = {}) => callUnary(route, method, message, outgoingOf(method, options)),
    forwardStream: (method, message, options = {}) => {
      const { onHeader, onTrailer } = options;
      return callStream(route, method, message, { ...outgoingOf(method, options), onHeader, onTrailer });
    },
  };
}

function outgoingOf(method: DescMethod, options: ForwardOptions): Outgoing {
  const { headers, timeoutMs = Number.POSITIVE_INFINITY, signal, accessToken, requestId, onFailure } = options;
  const boundMs = Math.min(timeoutMs, timeoutOf(method) ?? Number.POSITIVE_INFINITY);
  return { deadlineMs: Date.now() + boundMs, headers, signal, accessToken, requestId, onFailure };
}
