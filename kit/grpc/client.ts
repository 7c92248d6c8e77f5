import {
  create,
  type DescMethod,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type DescService,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import type { Identity } from "#kit/auth/identity.ts";
import { type Priority, priorityOf } from "../overload/priority.ts";
import type { MeshChannel } from "./channel.ts";
import { callStream, callUnary, type HeaderMap, type Outgoing, type Route } from "./outgoing-call.ts";
import { timeoutOf } from "./policy.ts";
import { deadlineExceeded } from "./server-call.ts";
import type { CallContext } from "./service.ts";

export { MeshChannel } from "./channel.ts";
export type { HeaderMap } from "./outgoing-call.ts";

// Each hop keeps this much for itself, so that the innermost one is the one that reports a timeout.
const hopMs = 20;
/** Of a call that a process makes of its own accord: people's calls wait for what it brings. */
const ownPriority: Priority = "write";

export interface CallOptions {
  /** The call that this one is made for: its deadline, cancellation, request id and user token are inherited. */
  call?: CallContext;
  /** In milliseconds; the policy of the method and the deadline of `call` may make it shorter. */
  timeoutMs?: number;
  signal?: AbortSignal;
  headers?: HeaderMap;
  onHeader?: (headers: HeaderMap) => void;
  onTrailer?: (trailers: HeaderMap) => void;
}

/** A typed client: unary calls answer with a promise, server streams with an async iterable. */
export type Client<S extends DescService> = {
  [K in keyof S["method"]]: S["method"][K] extends DescMethodUnary
    ? (
        request: MessageInitShape<S["method"][K]["input"]>,
        options?: CallOptions,
      ) => Promise<MessageShape<S["method"][K]["output"]>>
    : S["method"][K] extends DescMethodServerStreaming
      ? (
          request: MessageInitShape<S["method"][K]["input"]>,
          options?: CallOptions,
        ) => AsyncIterable<MessageShape<S["method"][K]["output"]>>
      : never;
};

/**
 * A client of a service in the mesh. Every failure is a ServiceError with the code, reason and details that the other
 * side gave. A call is never tried twice here: Envoy does that, where the proto allows it.
 */
export function createClient<S extends DescService>(
  desc: S,
  channel: MeshChannel,
  { identity }: { identity: Identity },
): Client<S> {
  const route = { channel, identity };
  const calls = desc.methods.map((method) => [method.localName, caller(route, method)]);
  return Object.fromEntries(calls) as Client<S>;
}

function caller(route: Route, method: DescMethod) {
  type Request = MessageInitShape<typeof method.input>;
  if (method.methodKind === "unary") {
    return async (request: Request, options: CallOptions = {}) => {
      const answer = await callUnary(route, method, create(method.input, request), outgoingOf(method, options));
      options.onHeader?.(answer.headers);
      options.onTrailer?.(answer.trailers);
      return answer.message;
    };
  }
  if (method.methodKind === "server_streaming") {
    return async function* (request: Request, options: CallOptions = {}) {
      const { onHeader, onTrailer } = options;
      const outgoing = { ...outgoingOf(method, options), onHeader, onTrailer };
      yield* callStream(route, method, create(method.input, request), outgoing);
    };
  }
  return () => {
    throw new Error(`${method.toString()}: streams from the client are not supported`);
  };
}

function outgoingOf(method: DescMethod, { call, timeoutMs, signal, headers }: CallOptions): Outgoing {
  const now = Date.now();
  const ownMs = Math.min(timeoutOf(method) ?? Number.POSITIVE_INFINITY, timeoutMs ?? Number.POSITIVE_INFINITY);
  const inheritedMs = (call?.deadline?.getTime() ?? Number.POSITIVE_INFINITY) - hopMs;
  if (inheritedMs < now) throw deadlineExceeded();
  return {
    deadlineMs: Math.min(now + ownMs, inheritedMs),
    headers,
    signal: call && signal ? AbortSignal.any([call.signal, signal]) : (signal ?? call?.signal),
    accessToken: call?.accessToken,
    requestId: call?.requestId,
    retries: call?.retries?.toGive,
    priority: call ? (call.priority ?? priorityOf(call.method)) : ownPriority,
  };
}
