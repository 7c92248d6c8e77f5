import type { IncomingMessage } from "node:http";
import type { FastifyInstance } from "fastify";
import { securityHeaders } from "#kit/security-headers.ts";
import { clientAddress } from "../client-address.ts";
import type { EdgeCall } from "../edge-call.ts";
import type { SessionCookies } from "../session-cookie/session-cookie.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** What every protocol needs to know of the request. */
    edge: EdgeCall;
  }
}

const transportSecurity = "max-age=31536000";
/** Browsers keep the promise for every port of the name: on localhost it would lock out whatever else is served there. */
const ownMachine = /^(?:localhost|.*\.localhost|127\.[\d.]+|\[::1\])(?::\d+)?$/i;

export interface RequestContextOptions {
  /** How many proxies of ours are in front. */
  trustedHops: number;
  sessionCookies: SessionCookies;
}

/** HSTS (RFC 6797): only where the client came by TLS, of which the nearest proxy of ours tells. */
function isLastingTls({ headers }: IncomingMessage, trustedHops: number): boolean {
  const { host = "" } = headers;
  return trustedHops > 0 && headers["x-forwarded-proto"] === "https" && !ownMachine.test(host);
}

/** Makes `request.edge` and sets the headers that no answer goes without. */
export function addRequestContext(app: FastifyInstance, { trustedHops, sessionCookies }: RequestContextOptions): void {
  app.decorateRequest("edge");
  app.addHook("onRequest", (request, reply, done) => {
    const { headers, socket } = request.raw;
    request.edge = {
      requestId: request.id,
      clientAddress: clientAddress(headers, socket?.remoteAddress, trustedHops),
      headers,
      startTime: Date.now(),
      answerHeader: (name, value) => void reply.header(name, value),
      sessionCookies,
    };
    reply.headers(securityHeaders);
    if (isLastingTls(request.raw, trustedHops)) reply.header("strict-transport-security", transportSecurity);
    reply.header("x-request-id", request.id);
    done();
  });
}
