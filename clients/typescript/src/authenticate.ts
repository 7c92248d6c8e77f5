import { type DescMethod, getOption, hasOption } from "@bufbuild/protobuf";
import { ConnectError, type Interceptor, type StreamRequest, type UnaryRequest } from "@connectrpc/connect";
import { Access, policy } from "../../../proto/gen/mesh/v1/options_pb.js";
import { isTokenRefused } from "./errors.ts";
import type { Session } from "./session.ts";
import { orAborted } from "./waiting.ts";

type Next = Parameters<Interceptor>[0];

/**
 * Sends the API key, or else the access token, with calls that need one. A call whose token is refused is made again
 * once, with a fresh one.
 */
export function authenticating(session: Session, apiKey?: string): Interceptor {
  return (next) => (request) => {
    // Whoever brings a token or key of their own is left alone.
    if (!needsToken(request.method) || request.header.has("authorization")) return next(request);
    if (apiKey === undefined) return withToken(request, next, session);
    request.header.set("authorization", bearer(apiKey));
    return next(request);
  };
}

async function withToken(request: UnaryRequest | StreamRequest, next: Next, session: Session) {
  const token = await orAborted(session.accessToken(), request.signal);
  if (token === undefined) return await next(request);
  request.header.set("authorization", bearer(token));
  try {
    return await next(request);
  } catch (error) {
    // Messages of a stream can be sent once only: streams are opened again by whoever has the request.
    if (request.stream || !isTokenRefused(ConnectError.from(error))) throw error;
    await orAborted(session.refresh(token), request.signal);
    const fresh = session.tokens?.accessToken;
    if (fresh === undefined || fresh === token) throw error;
    request.header.set("authorization", bearer(fresh));
    return await next(request);
  }
}

/** The value of the header that carries an access token (RFC 6750). */
export function bearer(token: string): string {
  return `Bearer ${token}`;
}

/** Whether the call is one of a signed-in person. */
export function needsToken(method: DescMethod): boolean {
  return hasOption(method, policy) && getOption(method, policy).access === Access.USER;
}
