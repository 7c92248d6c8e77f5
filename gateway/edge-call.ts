import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { ServiceError } from "#kit/errors.ts";
import { newId } from "#kit/id.ts";
import type { LoadShed } from "#kit/overload/load-shed.ts";
import type { HttpError } from "./errors/edge-error.ts";
import type { SessionCookies } from "./session-cookie/session-cookie.ts";

const acceptableId = /^[A-Za-z0-9._-]{1,64}$/;

/** What the edge knows of a request, whatever protocol it speaks. */
export interface EdgeCall {
  readonly requestId: string;
  /** Address of the client as the nearest trusted proxy saw it. */
  readonly clientAddress: string;
  readonly headers: IncomingHttpHeaders;
  /** In milliseconds since the epoch. */
  readonly startTime: number;
  /** Sets a header of the answer, whatever comes of the call. */
  readonly answerHeader: (name: string, value: string) => void;
  /** Keeps refresh tokens of browsers in cookies. */
  readonly sessionCookies?: SessionCookies | undefined;
  /** The bearer token, once it was verified. */
  accessToken?: string | undefined;
  /** Whose token it is. */
  userId?: string | undefined;
  /** Request headers that go along beside those that are named; none but in tests of the protocols. */
  passing?: Record<string, string> | undefined;
  /** Where it takes its place among the calls under way. */
  load?: LoadShed | undefined;
  /** What was found wrong with the call before the protocol's own handler saw it. */
  fault?: ServiceError | HttpError | undefined;
}

/** The caller's request id when it is well formed, otherwise a new one. */
export function requestIdOf(headers: IncomingHttpHeaders): string {
  const given = headers["x-request-id"];
  return typeof given === "string" && acceptableId.test(given) ? given : newId();
}

type Rewritten = Pick<IncomingMessage, "url"> & { originalUrl?: string };

/**
 * Hides a percent-encoded path from fastify, which would decode it, or refuse it without naming the field.
 * No route of fastify's own has such a path; all of them go to the transcoder, which reads `targetOf`.
 */
export function keepEncodedPath(request: Rewritten): string {
  const { url = "/" } = request;
  const percent = url.indexOf("%");
  const mark = url.indexOf("?");
  if (percent < 0 || (mark >= 0 && mark < percent)) return url;
  request.originalUrl = url;
  return "/percent-encoded";
}

/** The request target as it came. */
export function targetOf(request: Rewritten): string {
  return request.originalUrl ?? request.url ?? "/";
}
