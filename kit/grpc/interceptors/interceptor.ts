import type { Message } from "@bufbuild/protobuf";
import type { MalformedMessage } from "../definition.ts";
import type { ServerCall } from "../server-call.ts";

/** Answers a call: with the encoded message of a unary one, with undefined once a stream has sent all of its messages. */
export type Handle = (call: ServerCall, request: Message | MalformedMessage) => Promise<Buffer | undefined>;

/** A link of the chain around every handler. The first of the list is the outermost. */
export interface ServerInterceptor {
  readonly name: string;
  readonly wrap: (next: Handle) => Handle;
}
