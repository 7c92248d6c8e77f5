import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";

const allowMethods = "GET, HEAD, POST, PUT, PATCH, DELETE";
const allowHeaders = [
  "authorization",
  "consistency-token",
  "content-type",
  "if-match",
  "if-none-match",
  "idempotency-key",
  "last-event-id",
  "prefer",
  "x-session",
  "x-request-id",
  "traceparent",
  "tracestate",
  "connect-protocol-version",
  "connect-timeout-ms",
  "connect-content-encoding",
  "connect-accept-encoding",
  "grpc-timeout",
  "grpc-encoding",
  "grpc-accept-encoding",
  "x-grpc-web",
  "x-user-agent",
].join(", ");
const exposeHeaders = [
  "consistency-token",
  "etag",
  "idempotency-replayed",
  "preference-applied",
  "ratelimit",
  "ratelimit-policy",
  "retry-after",
  "www-authenticate",
  "x-request-id",
  "connect-content-encoding",
  "grpc-encoding",
  "grpc-message",
  "grpc-status",
  "grpc-status-details-bin",
].join(", ");
/** Two hours: the longest that any browser keeps it. */
const maxAgeSeconds = "7200";

/**
 * Cross-origin calls (WHATWG Fetch) from exactly the origins given, which may carry the session's cookie as well; from
 * others none, which is the default.
 */
export function addCors(app: FastifyInstance, origins: readonly string[]): void {
  if (origins.length === 0) return;
  const allowed = new Set(origins);
  app.addHook("onRequest", async (request, reply) => {
    reply.header("vary", "origin");
    const { origin } = request.headers;
    if (origin === undefined || !allowed.has(origin)) return;
    reply.header("access-control-allow-origin", origin);
    reply.header("access-control-allow-credentials", "true");
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
