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
import type { HeaderMap } from "#kit/grpc/outgoing-call.ts";
import { deadlineExceeded } from "#kit/grpc/server-call.ts";
import { isRead } from "../caching.ts";
import { callTypeOf } from "../call-type.ts";
import { connectCompressions, leastCompressed } from "../compression/connect-compressions.ts";
import type { GatewayContext } from "../context.ts";
import type { EdgeCall } from "../edge-call.ts";
import { toConnectError } from "../errors/connect-error.ts";
import { malformedRequest, methodNotAllowed, unsupportedMedia } from "../errors/edge-error.ts";
import { forwardStream, forwardUnary, visibleHeaders } from "../forward.ts";
import { observed } from "../observe.ts";
import { type StreamKind, streamOpened } from "../streams/open-streams.ts";
import { jsonWriteOptions } from "../transcoding/encode-response.ts";
import { readCallBody } from "./connect-body.ts";
import { connectErrorOf } from "./connect-error.ts";
import { serveConnectGet } from "./connect-get.ts";
import { isGone } from "./gone-signal.ts";
import { sendProblem } from "./problems.ts";
import { answerStray } from "./stray.ts";

const drainMs = 5000;
/** What is measured of a call that nobody waits for; as by REST. */
const goneStatus = 499;
const edgeKey = createContextKey<EdgeCall | undefined>(undefined);

/** Connect, gRPC and gRPC-Web for every exposed RPC, and for the services that the edge answers itself. */
export async function connectPlugin(app: FastifyInstance, { context }: { context: GatewayContext }): Promise<void> {
  const methods = new Map([...context.methodByPath, ...ownMethods(context)]);
  app.addHook("onRoute", (route) => {
    route.config = { ...route.config, countsItself: true };
    route.handler = observedHandler(route.url, route.handler, (request, reply) =>
      prepare(context, methods.get(route.url), { request, reply }),
    );
  });
  // Bodies of any type come to the handler, which reads them itself, or says what it would have read.
  app.addContentTypeParser("*", (_request, _payload, done) => done(null));
  const closing = closingOf(app);
  app.register(fastifyConnectPlugin, {
    routes: (router) => addRoutes(router, context, closing),
    contextValues: (request) => createContextValues().set(edgeKey, request.edge),
    requestGate: async ({ values }) => {
      const fault = values.get(edgeKey)?.fault;
      if (fault !== undefined) throw connectErrorOf(fault, context);
    },
    readMaxBytes: context.bodyLimit,
    acceptCompression: connectCompressions,
    compressMinBytes: leastCompressed,
    jsonOptions: { ...jsonWriteOptions, registry: context.registry },
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

/** Those that the edge answers itself. */
function ownMethods({ ownServices }: GatewayContext): [path: string, method: DescMethod][] {
  return ownServices.flatMap(({ desc }) =>
    desc.methods.map((method): [string, DescMethod] => [`/${desc.typeName}/${method.name}`, method]),
  );
}

/**
 * What comes before a call's own handler. Answers true when nothing is left to do: it was no call, or one by GET.
 * Streams from the client are read by the handler.
 */
async function prepare(
  context: GatewayContext,
  method: DescMethod | undefined,
  { request, reply }: { request: FastifyRequest; reply: FastifyReply },
): Promise<boolean> {
  if (method === undefined) return false;
  if (!context.methodByPath.has(request.routeOptions.url ?? "")) await countOwn(context, request.edge);
  const mayGet = isRead(method) && context.methodByPath.has(request.routeOptions.url ?? "");
  if (mayGet && (request.method === "GET" || request.method === "HEAD")) {
    await serveConnectGet(context, { request, reply, method });
    return true;
  }
  if (request.method !== "POST") {
    await answerStray(context, { request, reply }, methodNotAllowed(mayGet ? ["POST", "GET", "HEAD"] : ["POST"]));
    return true;
  }
  if (method.methodKind === "bidi_streaming" || method.methodKind === "client_streaming") return false;
  const type = callTypeOf(method, request.headers["content-type"]);
  if (type === undefined) {
    const fault = unsupportedMedia("the content type is none that this RPC is called with");
    await answerStray(context, { request, reply }, fault);
    return true;
  }
  await readCallBody(context, request, { method, type });
  return false;
}

/** Health and reflection are pages of the edge's own; one look too many is answered as their protocol does. */
async function countOwn({ limits }: GatewayContext, edge: EdgeCall): Promise<void> {
  await limits.countPage(edge).catch((refusal) => {
    edge.fault = refusal;
  });
}

function unary(context: GatewayContext, method: DescMethod) {
  return async (message: Message, call: HandlerContext): Promise<Message> => {
    try {
      const addMetadata = (headers: HeaderMap, trailers: HeaderMap) => {
        for (const [name, value] of visibleHeaders(headers)) call.responseHeader.set(name, value);
        for (const [name, value] of visibleHeaders(trailers)) call.responseTrailer.set(name, value);
      };
      const outgoing = { message, ...waitingOf(call), onFailure: addMetadata };
      const answer = await forwardUnary(context.forwarder, edgeOf(call), method, outgoing);
      addMetadata(answer.headers, answer.trailers);
      return answer.message;
    } catch (error) {
      throw connectErrorOf(timedOut(call) ? deadlineExceeded() : error, context);
    }
  };
}

function serverStream(context: GatewayContext, method: DescMethod, closing: Closing) {
  return async function* (message: Message, call: HandlerContext): AsyncIterable<Message> {
    const edge = edgeOf(call);
    const ended = streamOpened(context.streams, call.protocolName as StreamKind, edge.userId);
    try {
      yield* forwardStream(context.forwarder, edge, method, {
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
      throw connectErrorOf(timedOut(call) ? deadlineExceeded() : error, context);
    } finally {
      ended();
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

/** connect-fastify writes to the socket itself; what it could not make a call of at all is answered here. */
function observedHandler(
  url: string,
  handler: RouteHandlerMethod,
  isAnswered: (request: FastifyRequest, reply: FastifyReply) => Promise<boolean>,
): RouteHandlerMethod {
  return async function (this: FastifyInstance, request: FastifyRequest, reply: FastifyReply) {
    await observed(request, reply, url, async () => {
      if (await isAnswered(request, reply)) return;
      if (isGone(reply)) {
        reply.raw.statusCode = goneStatus;
        return;
      }
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
