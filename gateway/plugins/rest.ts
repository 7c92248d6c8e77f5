import type { Message } from "@bufbuild/protobuf";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { countLookup } from "#kit/cache-lookups.ts";
import type { HeaderMap } from "#kit/grpc/outgoing-call.ts";
import { admit } from "../admit.ts";
import { addCaching } from "../caching.ts";
import { codingOf } from "../compression/codings.ts";
import type { GatewayContext } from "../context.ts";
import { clientTimeoutMs, waitSeconds } from "../deadline.ts";
import { targetOf } from "../edge-call.ts";
import { methodNotAllowed, unknownCoding, unknownPath, unsupportedMedia } from "../errors/edge-error.ts";
import { entityTag, isUnchanged, mustBeWanted } from "../etag.ts";
import { forwardUnary, visibleHeaders } from "../forward.ts";
import { observed } from "../observe.ts";
import { answerStream } from "../streams/answer-stream.ts";
import { streamsClosing } from "../streams/closing.ts";
import { isUpgrade } from "../streams/handshake.ts";
import { answerSocket } from "../streams/web-socket.ts";
import type { Binding } from "../transcoding/binding.ts";
import type { Transcoder } from "../transcoding/transcoder.ts";
import { goneSignal } from "./gone-signal.ts";
import { sendProblem } from "./problems.ts";
import { answerStray } from "./stray.ts";

type Route = Extract<ReturnType<Transcoder["route"]>, { kind: "found" }>;

const httpMethods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"];
const jsonType = /^application\/(?:json|merge-patch\+json)\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?$/i;

/** REST by google.api.http, for every RPC that has the annotation. One route of fastify: the paths are the transcoder's. */
export async function restPlugin(app: FastifyInstance, { context }: { context: GatewayContext }): Promise<void> {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  const closing = streamsClosing(app);
  const config = { countsItself: true };
  app.route({ method: httpMethods, url: "*", config, handler: (...exchange) => serve(context, closing, ...exchange) });
}

async function serve(
  context: GatewayContext,
  closing: AbortSignal,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const target = targetOf(request.raw);
  const mark = target.indexOf("?");
  const path = mark < 0 ? target : target.slice(0, mark);
  const route = context.transcoder.route(request.method, path);
  if (route.kind === "found") {
    const query = mark < 0 ? "" : target.slice(mark + 1);
    const { template } = route.binding;
    await observed(request, reply, template.text, () => answer(context, { request, reply, route, query, closing }));
    return reply;
  }
  const fault = route.kind === "unknown" ? unknownPath() : methodNotAllowed(withHead(route.allow));
  await observed(request, reply, "*", () => answerStray(context, { request, reply }, fault));
  return reply;
}

interface Exchange {
  request: FastifyRequest;
  reply: FastifyReply;
  route: Route;
  query: string;
  /** Aborts when streams have to end. */
  closing: AbortSignal;
}

async function answer(context: GatewayContext, exchange: Exchange): Promise<unknown> {
  const { request, reply, route, closing } = exchange;
  const { binding } = route;
  if (isUpgrade(request.raw)) {
    return answerSocket(context, { request, reply, binding, closing, prepare: () => prepare(context, exchange) });
  }
  try {
    const { edge } = request;
    const message = await prepare(context, exchange);
    if (binding.method.methodKind === "server_streaming") {
      return await answerStream(context, { request, reply, binding, message, closing });
    }
    const timeoutMs = clientTimeoutMs(edge.headers);
    const signal = goneSignal(reply);
    // HTTP/1.1 clients hardly ever read trailers, so that these are headers too.
    const addMetadata = (headers: HeaderMap, trailers: HeaderMap) => {
      for (const [name, value] of visibleHeaders({ ...headers, ...trailers })) reply.header(name, value);
    };
    const call = { message, timeoutMs, signal, onFailure: addMetadata };
    const response = await forwardUnary(context.forwarder, edge, binding.method, call);
    addMetadata(response.headers, response.trailers);
    const etag = addHeaders(reply, binding, response.message);
    if (timeoutMs !== undefined) addPreferenceApplied(request, reply);
    const isRead = request.method === "GET" || request.method === "HEAD";
    if (isRead) mustBeWanted(edge.headers["if-match"], etag);
    if (isRead && edge.headers["if-none-match"] !== undefined) {
      const isKnown = isUnchanged(edge.headers["if-none-match"], etag);
      countLookup("entity_tag", isKnown);
      if (isKnown) return reply.code(304).send();
    }
    return reply
      .header("content-type", "application/json; charset=utf-8")
      .send(context.transcoder.encode(binding, response.message));
  } catch (error) {
    return sendProblem(request, reply, error, binding);
  }
}

/** Settles who calls and reads the request. */
async function prepare(context: GatewayContext, { request, route, query }: Exchange): Promise<Message> {
  await admit(context, request.edge, route.binding.method);
  return context.transcoder.decode(route, query, await bodyOf(request, context.bodyLimit));
}

async function bodyOf({ body, headers }: FastifyRequest, limit: number): Promise<Buffer | undefined> {
  if (!Buffer.isBuffer(body) || body.length === 0) return undefined;
  if (!jsonType.test(headers["content-type"] ?? "")) {
    throw unsupportedMedia("the body must be application/json in UTF-8", { accept: "application/json" });
  }
  const name = headers["content-encoding"] ?? "identity";
  if (name === "identity") return body;
  const coding = codingOf(name);
  if (coding === undefined) throw unknownCoding();
  return coding.decompress(body, limit);
}

/** Answers with the entity tag, if there is one. */
function addHeaders(reply: FastifyReply, { method, responseBody }: Binding, response: Message): string | undefined {
  const holder = response as Message & Record<string, unknown>;
  const resource = responseBody?.fieldKind === "message" ? (holder[responseBody.localName] as Message) : response;
  const etag = entityTag(resource);
  addCaching(reply, method, etag);
  return etag;
}

function addPreferenceApplied({ edge }: FastifyRequest, reply: FastifyReply): void {
  const seconds = waitSeconds(edge.headers);
  if (Number.isFinite(seconds)) reply.header("preference-applied", `wait=${seconds}`);
}

function withHead(allow: readonly string[]): string[] {
  return allow.includes("GET") ? [...allow, "HEAD"] : [...allow];
}
