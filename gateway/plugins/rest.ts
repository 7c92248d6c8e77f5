import type { Message } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { Access } from "#gen/mesh/v1/options_pb.js";
import { policyOf } from "#kit/grpc/policy.ts";
import { authenticate } from "../authenticate.ts";
import type { GatewayContext } from "../context.ts";
import { clientTimeoutMs, waitSeconds } from "../deadline.ts";
import { targetOf } from "../edge-call.ts";
import { methodNotAllowed, unknownPath, unsupportedMedia } from "../errors/edge-error.ts";
import { entityTag, isUnchanged } from "../etag.ts";
import { forwardUnary, visibleHeaders } from "../forward.ts";
import { observed } from "../observe.ts";
import type { Binding } from "../transcoding/binding.ts";
import type { Transcoder } from "../transcoding/transcoder.ts";
import { sendProblem } from "./problems.ts";

type Route = Extract<ReturnType<Transcoder["route"]>, { kind: "found" }>;

const httpMethods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const jsonType = /^application\/(?:json|merge-patch\+json)\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?$/i;

/** REST by google.api.http, for every RPC that has the annotation. One route of fastify: the paths are the transcoder's. */
export async function restPlugin(app: FastifyInstance, { context }: { context: GatewayContext }): Promise<void> {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  app.route({ method: httpMethods, url: "*", handler: (request, reply) => serve(context, request, reply) });
}

async function serve(context: GatewayContext, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const target = targetOf(request.raw);
  const mark = target.indexOf("?");
  const path = mark < 0 ? target : target.slice(0, mark);
  const route = context.transcoder.route(request.method, path);
  if (route.kind === "found") {
    const query = mark < 0 ? "" : target.slice(mark + 1);
    const { template } = route.binding;
    await observed(request, reply, template.text, () => answer(context, { request, reply, route, query }));
    return reply;
  }
  const error = route.kind === "unknown" ? unknownPath() : methodNotAllowed(withHead(route.allow));
  if (route.kind !== "unknown" && request.method === "OPTIONS") return reply.code(204).headers(error.headers).send();
  await observed(request, reply, "*", async () => sendProblem(request, reply, error));
  return reply;
}

interface Exchange {
  request: FastifyRequest;
  reply: FastifyReply;
  route: Route;
  query: string;
}

async function answer(context: GatewayContext, exchange: Exchange): Promise<FastifyReply> {
  const { request, reply, route } = exchange;
  const { binding } = route;
  try {
    const { edge } = request;
    await authenticate(edge, binding.method, context.tokens);
    const message = context.transcoder.decode(route, exchange.query, bodyOf(request));
    const timeoutMs = clientTimeoutMs(edge.headers);
    const signal = goneSignal(reply);
    const response = await forwardUnary(context.forwarder, edge, binding.method, { message, timeoutMs, signal });
    // HTTP/1.1 clients hardly ever read trailers, so that these are headers too.
    for (const [name, value] of visibleHeaders({ ...response.headers, ...response.trailers }))
      reply.header(name, value);
    const etag = addHeaders(reply, binding, response.message);
    if (timeoutMs !== undefined) addPreferenceApplied(request, reply);
    const isRead = request.method === "GET" || request.method === "HEAD";
    if (isRead && isUnchanged(edge.headers["if-none-match"], etag)) return reply.code(304).send();
    return reply
      .header("content-type", "application/json; charset=utf-8")
      .send(context.transcoder.encode(binding, response.message));
  } catch (error) {
    return sendProblem(request, reply, error, binding);
  }
}

function bodyOf({ body, headers }: FastifyRequest): Buffer | undefined {
  if (!Buffer.isBuffer(body) || body.length === 0) return undefined;
  const encoding = headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity") {
    throw unsupportedMedia("the body must not be compressed", { "accept-encoding": "identity" });
  }
  if (!jsonType.test(headers["content-type"] ?? "")) {
    throw unsupportedMedia("the body must be application/json in UTF-8", { accept: "application/json" });
  }
  return body;
}

/** Aborts when the client has gone before its answer was written. */
function goneSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once("close", () => {
    if (!reply.raw.writableFinished) controller.abort();
  });
  return controller.signal;
}

/** Answers with the entity tag, if there is one. */
function addHeaders(reply: FastifyReply, { method, responseBody }: Binding, response: Message): string | undefined {
  const holder = response as Message & Record<string, unknown>;
  const resource = responseBody?.fieldKind === "message" ? (holder[responseBody.localName] as Message) : response;
  const etag = entityTag(resource);
  if (etag !== undefined) reply.header("etag", etag);
  const isPublicRead =
    method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS && policyOf(method)?.access === Access.PUBLIC;
  if (isPublicRead) reply.header("cache-control", "public, max-age=60");
  return etag;
}

function addPreferenceApplied({ edge }: FastifyRequest, reply: FastifyReply): void {
  const seconds = waitSeconds(edge.headers);
  if (Number.isFinite(seconds)) reply.header("preference-applied", `wait=${seconds}`);
}

function withHead(allow: readonly string[]): string[] {
  return allow.includes("GET") ? [...allow, "HEAD"] : [...allow];
}
