import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";

const allowMethods = "GET, HEAD, POST, PUT, PATCH, DELETE";
const allowHeaders = [
  "authorization",
  "content-type",
  "if-match",
  "if-none-match",
  "idempotency-key",
  "prefer",
  "x-request-id",
  "traceparent",
  "connect-protocol-version",
  "connect-timeout-ms",
  "grpc-timeout",
  "x-grpc-web",
  "x-user-agent",
].join(", ");
const exposeHeaders =
  "etag, idempotency-replayed, retry-after, x-request-id, www-authenticate, grpc-status, grpc-message, grpc-status-details-bin";
const maxAgeSeconds = "600";

/** Cross-origin calls (WHATWG Fetch) from the origins given, without cookies; from others none, which is the default. */
export function addCors(app: FastifyInstance, origins: readonly string[]): void {
  if (origins.length === 0) return;
  const allowed = new Set(origins);
  app.addHook("onRequest", async (request, reply) => {
    reply.header("vary", "origin");
    const { origin } = request.headers;
    if (origin === undefined || !allowed.has(origin)) return;
    reply.header("access-control-allow-origin", origin);
    reply.header("access-control-expose-headers", exposeHeaders);
    reply.header("cross-origin-resource-policy", "cross-origin");
    if (isPreflight(request)) return answerPreflight(reply);
  });
}

function isPreflight({ method, headers }: FastifyRequest): boolean {
  return method === "OPTIONS" && headers["access-control-request-method"] !== undefined;
}

function answerPreflight(reply: FastifyReply): FastifyReply {
  return reply
    .code(204)
    .header("access-control-allow-methods", allowMethods)
    .header("access-control-allow-headers", allowHeaders)
    .header("access-control-max-age", maxAgeSeconds)
    .send();
}
