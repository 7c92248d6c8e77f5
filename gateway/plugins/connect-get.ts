import type { DescMethod } from "@bufbuild/protobuf";
import { type Message, toBinary, toJsonString } from "@bufbuild/protobuf";
import {
  codeToHttpStatus,
  contentTypeUnaryJson,
  contentTypeUnaryProto,
  errorToJsonBytes,
} from "@connectrpc/connect/protocol-connect";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { HeaderMap } from "#kit/grpc/outgoing-call.ts";
import { admit } from "../admit.ts";
import { addCaching, tagOfWhole } from "../caching.ts";
import { checkVersion, codingNamed } from "../call-type.ts";
import type { GatewayContext } from "../context.ts";
import { clientTimeoutMs } from "../deadline.ts";
import { targetOf } from "../edge-call.ts";
import { HttpError, malformedRequest } from "../errors/edge-error.ts";
import { isUnchanged, mustBeWanted } from "../etag.ts";
import { forwardUnary, visibleHeaders } from "../forward.ts";
import { jsonWriteOptions } from "../transcoding/encode-response.ts";
import { parseQuery } from "../transcoding/query-string.ts";
import { decodeMessage } from "./connect-body.ts";
import { connectErrorOf } from "./connect-error.ts";
import { goneSignal } from "./gone-signal.ts";

const base64 = /^[A-Za-z0-9+/_-]*={0,2}$/;
const known = new Set(["message", "encoding", "base64", "compression", "connect"]);

/**
 * Connect by GET, for calls without side effects. The message is in the query, so the answer can be kept and asked about
 * by its tag as by REST; for that, its headers must go by fastify.
 */
export async function serveConnectGet(
  context: GatewayContext,
  { request, reply, method }: { request: FastifyRequest; reply: FastifyReply; method: DescMethod },
): Promise<FastifyReply> {
  const { edge } = request;
  const json = { ...jsonWriteOptions, registry: context.registry };
  try {
    await admit(context, edge, method);
    const timeoutMs = clientTimeoutMs(edge.headers);
    const { message, isJson } = await readQuery(context, request, method);
    const addMetadata = (headers: HeaderMap, trailers: HeaderMap) => {
      for (const [name, value] of visibleHeaders(headers)) reply.header(name, value);
      for (const [name, value] of visibleHeaders(trailers)) reply.header(`trailer-${name}`, value);
    };
    const call = { message, timeoutMs, signal: goneSignal(reply), onFailure: addMetadata };
    const answer = await forwardUnary(context.forwarder, edge, method, call);
    addMetadata(answer.headers, answer.trailers);
    const etag = tagOfWhole(answer.message as Message & Record<string, unknown>, method);
    addCaching(reply, method, etag);
    mustBeWanted(edge.headers["if-match"], etag);
    if (isUnchanged(edge.headers["if-none-match"], etag)) return reply.code(304).send();
    return isJson
      ? reply
          .header("content-type", contentTypeUnaryJson)
          .send(Buffer.from(toJsonString(method.output, answer.message, json)))
      : reply.header("content-type", contentTypeUnaryProto).send(Buffer.from(toBinary(method.output, answer.message)));
  } catch (thrown) {
    const error = connectErrorOf(thrown, context);
    for (const [name, value] of error.metadata) reply.header(name, value);
    if (thrown instanceof HttpError) reply.headers(thrown.headers);
    return reply
      .code(codeToHttpStatus(error.code))
      .header("cache-control", "no-store")
      .header("content-type", contentTypeUnaryJson)
      .send(Buffer.from(errorToJsonBytes(error, json)));
  }
}

async function readQuery(context: GatewayContext, request: FastifyRequest, method: DescMethod) {
  const target = targetOf(request.raw);
  const mark = target.indexOf("?");
  const query = new Map<string, string>();
  for (const [name, value] of mark < 0 ? [] : parseQuery(target.slice(mark + 1))) {
    // Others may be there to get round a cache.
    if (known.has(name) && query.has(name)) throw malformedRequest(`the query has ${name} more than once`);
    query.set(name, value);
  }
  checkVersion(query.get("connect"), "v1");
  const encoding = query.get("encoding");
  if (encoding !== "json" && encoding !== "proto") throw malformedRequest("encoding must be json or proto");
  const text = query.get("message");
  if (text === undefined) throw malformedRequest("the query lacks its message");
  const coding = codingNamed(query.get("compression"), "content-encoding");
  const bytes = bytesOf(text, query.get("base64"));
  const isJson = encoding === "json";
  const unpacked = coding ? await coding.decompress(bytes, context.bodyLimit) : bytes;
  return { isJson, message: decodeMessage(method, unpacked, { isJson, registry: context.registry }) };
}

function bytesOf(text: string, isBase64: string | undefined): Buffer {
  if (isBase64 === undefined || isBase64 === "0") return Buffer.from(text);
  const digits = text.replace(/=+$/, "").length;
  if (isBase64 !== "1" || !base64.test(text) || digits % 4 === 1) throw malformedRequest("the message is not base64");
  return Buffer.from(text, "base64url");
}
