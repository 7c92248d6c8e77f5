import type { DescMethod, DescMethodServerStreaming, DescMethodUnary, Message } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ConnectRouter,
  createContextKey,
  createContextValues,
  type HandlerContext,
} from "@connectrpc/connect";
import { fastifyConnectPlugin } from "@connectrpc/connect-fastify";
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteHandlerMethod } from "fastify";
import { unavailable } from "#kit/errors.ts";
import { deadlineExceeded } from "#kit/grpc/server-call.ts";
import { logger } from "#observability/logger.ts";
import { authenticate } from "../authenticate.ts";
import type { GatewayContext } from "../context.ts";
import type { EdgeCall } from "../edge-call.ts";
import { toConnectError } from "../errors/connect-error.ts";
import { asServiceError, isFault, malformedRequest } from "../errors/edge-error.ts";
import { forwardStream, forwardUnary, visibleHeaders } from "../forward.ts";
import { observed } from "../observe.ts";
import { jsonWriteOptions } from "../transcoding/encode-response.ts";
import { readCallBody } from "./connect-body.ts";
import { sendProblem } from "./problems.ts";

const log = logger("gateway");
const drainMs = 5000;
const edgeKey = createContextKey<EdgeCall | undefined>(undefined);

/** Connect, gRPC and gRPC-Web for every exposed RPC, and for the services that the edge answers itself. */
export async function connectPlugin(app: FastifyInstance, { context }: { context: GatewayContext }): Promise<void> {
  app.addHook("onRoute", (route) => {
    route.handler = observedHandler(route.url, route.handler);
  });
  app.addHook("preHandler", (request) => readCallBody(context, request));
  const own = new Set(context.ownServices.map(({ desc }) => desc.typeName));
  const closing = closingOf(app);
  app.register(fastifyConnectPlugin, {
    routes: (router) => addRoutes(router, context, closing),
    contextValues: (request) => createContextValues().set(edgeKey, request.edge),
    requestGate: async (call) => {
      if (!own.has(call.service.typeName)) await admit(context, call);
    },
    readMaxBytes: context.bodyLimit,
    jsonOptions: jsonWriteOptions,
    shutdownSignal: closing.calls,
  });
}

interface Closing {
  /** Aborts when the server is told to close: streams would never end by themselves. */
  streams: AbortSignal;
  /** Aborts when calls have had their time to end. */
  calls: AbortSignal;
}

function closingOf(app: FastifyInstance): Closing {
  const [streams, calls] = [new AbortController(), new AbortController()];
  app.addHook("preClose", async () => {
    const reason = unavailable("the server is closing", undefined, 0);
    streams.abort(reason);
    setTimeout(() => calls.abort(toConnectError(reason)), drainMs).unref();
  });
  return { streams: streams.signal, calls: calls.signal };
}

function addRoutes(router: ConnectRouter, context: GatewayContext, closing: Closing): void {
  for (const method of context.methods) {
    if (method.methodKind === "unary") router.rpc(method as DescMethodUnary, unary(context, method));
    else if (method.methodKind === "server_streaming") {
      router.rpc(method as DescMethodServerStreaming, serverStream(context, method, closing));
    }
  }
  for (const { desc, impl } of context.ownServices) router.service(desc, impl);
}

/** Runs before the body is read: who may not call is not read from. */
async function admit(context: GatewayContext, { method, values }: HandlerContext): Promise<void> {
  const edge = values.get(edgeKey);
  try {
    if (edge === undefined) throw new Error("a call came without its request");
    await authenticate(edge, method, context.tokens);
    if (edge.bodyFault) throw edge.bodyFault;
  } catch (error) {
    throw connectErrorOf(error);
  }
}

function unary(context: GatewayContext, method: DescMethod) {
  return async (message: Message, call: HandlerContext): Promise<Message> => {
    try {
      const answer = await forwardUnary(context.forwarder, edgeOf(call), method, { message, ...waitingOf(call) });
      for (const [name, value] of visibleHeaders(answer.headers)) call.responseHeader.set(name, value);
      for (const [name, value] of visibleHeaders(answer.trailers)) call.responseTrailer.set(name, value);
      return answer.message;
    } catch (error) {
      throw connectErrorOf(timedOut(call) ? deadlineExceeded() : error);
    }
  };
}

function serverStream(context: GatewayContext, method: DescMethod, closing: Closing) {
  return async function* (message: Message, call: HandlerContext): AsyncIterable<Message> {
    try {
      yield* forwardStream(context.forwarder, edgeOf(call), method, {
        message,
        timeoutMs: call.timeoutMs(),
        signal: AbortSignal.any([call.signal, closing.streams]),
        onHeader: (headers) => {
          for (const [name, value] of visibleHeaders(headers)) call.responseHeader.set(name, value);
        },
        onTrailer: (trailers) => {
          for (const [name, value] of visibleHeaders(trailers)) call.responseTrailer.set(name, value);
        },
      });
    } catch (error) {
      throw connectErrorOf(timedOut(call) ? deadlineExceeded() : error);
    }
  };
}

/** Whether the client's time is over: then Connect has aborted the call, which alone would look like a client gone. */
function timedOut({ signal }: HandlerContext): boolean {
  return signal.reason instanceof ConnectError && signal.reason.code === Code.DeadlineExceeded;
}

function edgeOf({ values }: HandlerContext): EdgeCall {
  const edge = values.get(edgeKey);
  if (edge === undefined) throw new Error("a call came without its request");
  return edge;
}

function waitingOf(call: HandlerContext) {
  return { timeoutMs: call.timeoutMs(), signal: call.signal };
}

function connectErrorOf(error: unknown) {
  const serviceError = asServiceError(error);
  if (isFault(serviceError)) log.error({ error: serviceError.cause ?? serviceError }, "call failed");
  return toConnectError(serviceError);
}

/** connect-fastify writes to the socket itself; what it could not make a call of at all is answered here. */
function observedHandler(url: string, handler: RouteHandlerMethod): RouteHandlerMethod {
  return async function (this: FastifyInstance, request: FastifyRequest, reply: FastifyReply) {
    await observed(request, reply, url, async () => {
      // The handler of connect-node 2.2 does not tell when it is done: it waits for an event that answers never have.
      const answered = new Promise((resolve) => reply.raw.once("close", resolve));
      await Promise.race([handler.call(this, request, reply), answered]);
      if (!reply.raw.headersSent && !reply.raw.destroyed) {
        sendProblem(request, reply, malformedRequest("the request is malformed"));
      }
    });
    return reply;
  };
}
