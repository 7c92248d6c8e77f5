import type { Socket } from "node:net";
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { cancelled } from "#kit/grpc/server-call.ts";
import { newId } from "#kit/id.ts";
import { securityHeaders } from "#kit/security-headers.ts";
import { logger } from "#observability/logger.ts";
import { activeTraceId } from "#observability/tracing.ts";
import {
  asServiceError,
  bodyTooLarge,
  HttpError,
  isFault,
  malformedRequest,
  unknownPath,
  unsupportedMedia,
} from "../errors/edge-error.ts";
import { httpStatus } from "../errors/http-status.ts";
import { errorHeaders, type Problem, problemOf } from "../errors/problem.ts";
import { observed } from "../observe.ts";
import type { Binding } from "../transcoding/binding.ts";
import { isGone } from "./gone-signal.ts";

const log = logger("gateway");
const untraced = /^0+$/;

/** Every error of HTTP, fastify's own included, is answered as application/problem+json. */
export function addProblems(app: FastifyInstance): void {
  // What fastify refuses by itself never comes to a handler, which would measure and log it.
  app.setErrorHandler(async (error: FastifyError, request, reply) => {
    // A body that breaks off is told as an error of the connection.
    const fault = isGone(reply) ? cancelled() : error;
    await observed(request, reply, "*", async () => sendProblem(request, reply, fault));
    return reply;
  });
  app.setNotFoundHandler((request, reply) => sendProblem(request, reply, unknownPath()));
}

/** For requests that fastify cannot even route: no hook has seen them. */
export function answerEarlyFault(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  reply.headers(securityHeaders).header("x-request-id", request.id);
  sendProblem(request, reply, error);
}

/** For bytes that are no HTTP: there is no request to speak of. */
export function answerBrokenHttp(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === "ECONNRESET" || socket.destroyed) return;
  const [status, message] = brokenHttp[error.code ?? ""] ?? [400, "the request is no well-formed HTTP"];
  const problem = problemOf(malformedRequest(message), { requestId: newId(), traceId: undefined, status });
  const body = JSON.stringify(problem);
  const head = `HTTP/1.1 ${status} ${problem.title}\r\ncontent-type: application/problem+json; charset=utf-8`;
  if (socket.writable)
    socket.write(`${head}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`);
  socket.destroy(error);
}

const brokenHttp: Record<string, [status: number, message: string]> = {
  HPE_HEADER_OVERFLOW: [431, "the headers are too large"],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "the request took too long to arrive"],
};

/** Answers with the problem document of an error. A fault of ours is logged, and told in neutral words. */
export function sendProblem(
  request: FastifyRequest,
  reply: FastifyReply,
  thrown: unknown,
  binding?: Binding,
): FastifyReply {
  const fault = thrown instanceof HttpError ? thrown : fromFastify(thrown, reply);
  const error = fault instanceof HttpError ? fault.error : asServiceError(fault);
  const status = fault instanceof HttpError ? fault.status : httpStatus(error);
  if (isFault(error)) log.error({ error: error.cause ?? error }, "request failed");
  const problem = problemOf(error, { requestId: request.id, traceId: traceIdOf(), binding, status });
  return reply
    .code(status)
    .headers(errorHeaders(error, status))
    .headers(fault instanceof HttpError ? fault.headers : {})
    .header("cache-control", "no-store")
    .header("content-type", "application/problem+json; charset=utf-8")
    .send(JSON.stringify(problem));
}

/** The problem document that ends a stream: where it stands, there is neither status nor header. */
export function problemInBand(
  request: FastifyRequest,
  thrown: unknown,
  binding: Binding,
): { problem: Problem; retryAfterMs: number | undefined } {
  const error = asServiceError(thrown instanceof HttpError ? thrown.error : thrown);
  if (isFault(error)) log.error({ error: error.cause ?? error }, "stream failed");
  const problem = problemOf(error, { requestId: request.id, traceId: traceIdOf(), binding });
  const { retryAfterMs } = error;
  if (retryAfterMs !== undefined) problem.retryAfter = Math.ceil(retryAfterMs / 1000);
  return { problem, retryAfterMs };
}

/** What fastify found wrong with a request before it came to a handler; other errors stay as they are. */
function fromFastify(thrown: unknown, reply: FastifyReply): unknown {
  const { code, statusCode = 500 } = thrown as { code?: unknown; statusCode?: number };
  if (typeof code !== "string" || !code.startsWith("FST_")) return thrown;
  if (code === "FST_ERR_CTP_BODY_TOO_LARGE") {
    // To close with bytes unread is to reset, which may overtake the answer: the other side closes, what it still sends is dropped.
    reply.removeHeader("connection");
    reply.request.raw.resume();
    return bodyTooLarge(reply.routeOptions.bodyLimit ?? 0);
  }
  if (code === "FST_ERR_CTP_INVALID_MEDIA_TYPE") return unsupportedMedia("the body must be application/json");
  if (statusCode >= 400 && statusCode < 500) return malformedRequest("the request is malformed");
  return thrown;
}

/** Undefined while tracing is off and no trace came in: then there is nothing to look up. */
function traceIdOf(): string | undefined {
  const id = activeTraceId();
  return id === undefined || untraced.test(id) ? undefined : id;
}
