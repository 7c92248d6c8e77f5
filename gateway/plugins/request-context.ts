import type { FastifyInstance } from "fastify";
import { clientAddress } from "../client-address.ts";
import type { EdgeCall } from "../edge-call.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** What every protocol needs to know of the request. */
    edge: EdgeCall;
  }
}

/** Headers of every answer. The API serves data to programs: nothing in it may be run, framed or sniffed. */
export const securityHeaders = {
  "x-content-type-options": "nosniff",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  // Answers are a person's own; a route that may be kept says so itself.
  "cache-control": "no-store",
};

/** Makes `request.edge` and sets the headers that no answer goes without. */
export function addRequestContext(app: FastifyInstance, trustedHops: number): void {
  app.decorateRequest("edge");
  app.addHook("onRequest", (request, reply, done) => {
    const { headers, socket } = request.raw;
    request.edge = {
      requestId: request.id,
      clientAddress: clientAddress(headers, socket?.remoteAddress, trustedHops),
      headers,
      startTime: Date.now(),
    };
    reply.headers(securityHeaders);
    reply.header("x-request-id", request.id);
    done();
  });
}
