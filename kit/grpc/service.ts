import type {
  DescMethod,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import type { Priority } from "../overload/priority.ts";
import type { Retries } from "./retry-ledger.ts";

/** Who calls, after authentication. `via` names the service that carried the user's token here. */
export type Caller =
  | { kind: "anonymous" }
  | { kind: "user"; userId: string; sessionId: string; via?: string }
  | { kind: "service"; name: string };

/** What a handler knows about the call that it answers. */
export interface CallContext {
  readonly caller: Caller;
  readonly method: DescMethod;
  /** Aborts with a ServiceError as its reason: the caller went away, time ran out, or the server is closing. */
  readonly signal: AbortSignal;
  /** The sooner of the caller's deadline and the timeout of the method's policy. */
  readonly deadline: Date | undefined;
  readonly requestId: string;
  /** What may still be tried again; a call on behalf of this one takes over what it has to give. */
  readonly retries?: Pick<Retries, "toGive">;
  /** How much it matters when not all can be taken; a call on behalf of this one matters as much. */
  readonly priority?: Priority | undefined;
  /** The id of the user. Throws UNAUTHENTICATED when the caller is not a user. */
  readonly userId: string;
  /** The bearer token as it came, for calls on behalf of the same user. The next service verifies it itself. */
  readonly accessToken?: string | undefined;
  /** A request header by its lower-case name. */
  header(name: string): string | undefined;
  setTrailer(name: string, value: string): void;
  /** Sets a header of the answer; without effect once the first message of a stream is sent. */
  responseHeader(name: string, value: string): void;
}

export type Unary<M extends DescMethodUnary> = (
  request: MessageShape<M["input"]>,
  call: CallContext,
) => Promise<MessageInitShape<M["output"]>>;

export type ServerStreaming<M extends DescMethodServerStreaming> = (
  request: MessageShape<M["input"]>,
  call: CallContext,
) => AsyncIterable<MessageInitShape<M["output"]>>;

/** A handler for each RPC of a service: one that is missing does not compile. */
export type ServiceImpl<S extends DescService> = {
  [K in keyof S["method"]]: S["method"][K] extends DescMethodUnary
    ? Unary<S["method"][K]>
    : S["method"][K] extends DescMethodServerStreaming
      ? ServerStreaming<S["method"][K]>
      : never;
};

/** A service with its handlers, ready to be served. Made by `service()`. */
export interface ServiceEntry {
  readonly desc: DescService;
  readonly impl: Readonly<Record<string, unknown>>;
}
