import { once } from "node:events";
import {
  create,
  type DescMethod,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type Message,
} from "@bufbuild/protobuf";
import type { Metadata, ServerUnaryCall, ServerWritableStream, sendUnaryData } from "@grpc/grpc-js";
import { internal, ServiceError } from "../errors.ts";
import { takeOutHeader } from "../health/take-out.ts";
import { encode, type MalformedMessage } from "./definition.ts";
import type { Handle, ServerInterceptor } from "./interceptors/interceptor.ts";
import { ServerCall } from "./server-call.ts";
import type { ServerStreaming, Unary } from "./service.ts";
import { toStatus } from "./status.ts";

type Request = Message | MalformedMessage;

/** The calls under way at a server. Streams are kept apart, for they may never end by themselves. */
export interface OpenCalls {
  readonly unary: Set<Pick<ServerCall, "abort">>;
  /** With the address and port of the connection that they came by. */
  readonly streams: Set<Pick<ServerCall, "abort"> & { peer: string }>;
  /** Set once the server is about to stop: its answers tell the load balancer to take it out. */
  leaving: boolean;
}

/** A handler with its chain, in the shape that grpc-js calls for a unary method. */
export function unaryHandler(
  method: DescMethod,
  handler: Unary<DescMethodUnary>,
  interceptors: readonly ServerInterceptor[],
  open: OpenCalls,
) {
  const { unary } = open;
  const handle = compose(interceptors, async (call, request) => {
    const answer = await handler(request as Message, call);
    return encode(method.output, create(method.output, answer));
  });
  return (grpcCall: ServerUnaryCall<Request, Buffer>, respond: sendUnaryData<Buffer>): void => {
    const call = new ServerCall(method, grpcCall.metadata, Number(grpcCall.getDeadline()));
    const finish = () => {
      call.finish();
      unary.delete(call);
      if (call.responseHeaders) grpcCall.sendMetadata(call.responseHeaders);
    };
    grpcCall.on("cancelled", () => call.lost());
    unary.add(call);
    handle(call, grpcCall.request).then(
      (bytes) => {
        // Not with an error: headers before it would keep Envoy from trying the call again elsewhere.
        if (open.leaving) call.responseHeader(takeOutHeader, "true");
        finish();
        respond(null, bytes, call.trailers);
      },
      (error: unknown) => {
        finish();
        respond(failure(error, call.trailers));
      },
    );
  };
}

/** A handler with its chain, in the shape that grpc-js calls for a server stream. */
export function streamHandler(
  method: DescMethod,
  handler: ServerStreaming<DescMethodServerStreaming>,
  interceptors: readonly ServerInterceptor[],
  { streams }: OpenCalls,
) {
  const handle = compose(interceptors, async (call, request) => {
    const messages = handler(request as Message, call);
    for await (const message of messages) {
      if (call.abortReason) throw call.abortReason;
      await call.send?.(encode(method.output, create(method.output, message)));
    }
    return undefined;
  });
  return (stream: ServerWritableStream<Request, Buffer>): void => {
    const call = new ServerCall(method, stream.metadata, Number(stream.getDeadline()));
    const sendHeaders = headersOnce(stream, call);
    call.send = sender(stream, call, sendHeaders);
    stream.on("cancelled", () => call.lost());
    const open = { peer: stream.getPeer(), abort: (reason: ServiceError) => call.abort(reason) };
    streams.add(open);
    handle(call, stream.request)
      .finally(() => {
        call.finish();
        streams.delete(open);
        sendHeaders();
      })
      .then(
        () => stream.end(call.trailers),
        (error: unknown) => stream.emit("error", failure(error, call.trailers)),
      );
  };
}

function compose(interceptors: readonly ServerInterceptor[], handler: Handle): Handle {
  return interceptors.reduceRight((next, interceptor) => interceptor.wrap(next), handler);
}

/** Sends the headers that the handler has set, the first time that it is called. */
function headersOnce(stream: ServerWritableStream<Request, Buffer>, call: ServerCall): () => void {
  let sent = false;
  return () => {
    if (!sent && call.responseHeaders) stream.sendMetadata(call.responseHeaders);
    sent = true;
  };
}

function sender(stream: ServerWritableStream<Request, Buffer>, call: ServerCall, sendHeaders: () => void) {
  return async (message: Buffer): Promise<void> => {
    sendHeaders();
    if (!stream.write(message)) await once(stream, "drain", { signal: call.signal });
  };
}

function failure(error: unknown, trailers: Metadata | undefined) {
  const status = toStatus(error instanceof ServiceError ? error : internal(error), trailers);
  return Object.assign(new Error(status.details), status);
}
