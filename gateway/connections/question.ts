import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { RateLimitDescriptor } from "#gen/envoy/extensions/common/ratelimit/v3/ratelimit_pb.js";
import {
  RateLimitResponse_Code as Answer,
  RateLimitRequestSchema,
  RateLimitResponseSchema,
  RateLimitService,
} from "#gen/envoy/service/ratelimit/v3/rls_pb.js";
import { frameOf, framePrefix } from "#kit/grpc/message-frames.ts";
import type { Connection, ConnectionCount } from "./connection-count.ts";

type Listener = (request: Http2ServerRequest, response: Http2ServerResponse) => void;

const path = `/${RateLimitService.typeName}/${RateLimitService.method.shouldRateLimit.name}`;
const ok = answerFrame(Answer.OK);
const overLimit = answerFrame(Answer.OVER_LIMIT);

/**
 * Envoy asks here, before it reads a byte, whether a new connection may stay; everything else goes to `others`. Nothing
 * outside gets here: the edge has no route for it. A crowd that connects costs a question each at the worst of times,
 * so it is answered below fastify and Connect, for a fifth of what a call takes there.
 */
export function answerQuestions(count: ConnectionCount, others: Listener): Listener {
  return (request, response) => {
    if (request.url === path) answer(count, request, response).catch(() => response.stream.destroy());
    else others(request, response);
  };
}

async function answer(count: ConnectionCount, request: Http2ServerRequest, response: Http2ServerResponse) {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const { descriptors } = fromBinary(RateLimitRequestSchema, Buffer.concat(chunks).subarray(framePrefix));
  const connection = descriptors.map(connectionOf).find((found) => found !== undefined);
  const stays = connection === undefined || (await count.opened(connection));
  response.writeHead(200, { "content-type": "application/grpc" });
  response.addTrailers({ "grpc-status": "0" });
  response.end(stays ? ok : overLimit);
}

/** Both ends as Envoy writes them: "127.0.0.1:4321", "[::1]:4321". */
function connectionOf({ entries }: RateLimitDescriptor): Connection | undefined {
  const values = Object.fromEntries(entries.map(({ key, value }) => [key, value]));
  const { client, connection } = values;
  return client === undefined || connection === undefined ? undefined : { client, id: connection };
}

function answerFrame(overallCode: Answer): Buffer {
  return frameOf(toBinary(RateLimitResponseSchema, create(RateLimitResponseSchema, { overallCode })));
}
