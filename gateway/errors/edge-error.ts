import type { DescMethod } from "@bufbuild/protobuf";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { Code, internal, invalidFields, ServiceError } from "#kit/errors.ts";
import { acceptedCodings } from "../compression/accepted.ts";
import { TranscodingError } from "../transcoding/errors.ts";

/** A fault of HTTP itself: it has a status of its own, and headers that the status asks for. */
export class HttpError extends Error {
  override readonly name = "HttpError";
  readonly status: number;
  readonly error: ServiceError;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, error: ServiceError, headers: Readonly<Record<string, string>> = {}) {
    super(error.message);
    this.status = status;
    this.error = error;
    this.headers = headers;
  }
}

/** UNAUTHENTICATED: the call needs a token and brought none. */
export class TokenMissingError extends ServiceError {
  constructor() {
    super({ reason: ErrorReason.TOKEN_INVALID, message: "this call needs an access token" });
  }
}

/** 404: no RPC has this path. */
export function unknownPath(): HttpError {
  const message = "nothing is served under this path";
  return new HttpError(404, new ServiceError({ code: Code.NOT_FOUND, reason: ErrorReason.UNKNOWN_METHOD, message }));
}

/** 405: the path is served for other methods. */
export function methodNotAllowed(allow: readonly string[]): HttpError {
  const message = `this path takes ${allow.join(", ")}`;
  const error = new ServiceError({ code: Code.UNIMPLEMENTED, reason: ErrorReason.UNKNOWN_METHOD, message });
  return new HttpError(405, error, { allow: allow.join(", ") });
}

/** 413 by REST, RESOURCE_EXHAUSTED elsewhere. */
export function bodyTooLarge(limit: number): ServiceError {
  return new ServiceError({
    reason: ErrorReason.MESSAGE_TOO_LARGE,
    message: `the body is larger than ${limit} bytes`,
  });
}

/** 415: a type or encoding of the body that is not read here. */
export function unsupportedMedia(message: string, headers: Record<string, string> = {}): HttpError {
  return new HttpError(415, malformedRequest(message), headers);
}

/** 415 by REST, UNIMPLEMENTED elsewhere: a compression that is not known here. `header` says in the answer which are. */
export function unknownCoding(header = "accept-encoding"): HttpError {
  const message = `the body must be as it is or compressed by ${acceptedCodings}`;
  const error = new ServiceError({ code: Code.UNIMPLEMENTED, reason: ErrorReason.INVALID_FIELD, message });
  return new HttpError(415, error, { [header]: acceptedCodings });
}

/** 406: the answer cannot be had in any form that the client takes. */
export function notAcceptable(mediaTypes: readonly string[]): HttpError {
  return new HttpError(406, malformedRequest(`the answer is to be had as ${mediaTypes.join(", ")}`));
}

/** 400: the opening handshake of a WebSocket is none, or not for this path. */
export function wrongHandshake(message: string): HttpError {
  return new HttpError(400, malformedRequest(message));
}

/** 426: another version of the WebSocket protocol is spoken here. */
export function upgradeRequired(headers: Record<string, string>): HttpError {
  return new HttpError(426, malformedRequest("this version of WebSocket is not spoken here"), headers);
}

/** INVALID_ARGUMENT that names no field. */
export function malformedRequest(message: string): ServiceError {
  return new ServiceError({ reason: ErrorReason.INVALID_FIELD, message });
}

/** UNIMPLEMENTED: the RPC is not for callers from outside. */
export function notExposed(method: DescMethod): ServiceError {
  const message = `${method.parent.typeName}/${method.name} is not served here`;
  return new ServiceError({ reason: ErrorReason.UNKNOWN_METHOD, message });
}

const faultsOfOurs: ReadonlySet<number> = new Set([Code.INTERNAL, Code.UNKNOWN, Code.DATA_LOSS]);

/** Whether the error tells of a fault in the system, which callers hear of in neutral words only. */
export function isFault(error: ServiceError): boolean {
  return faultsOfOurs.has(error.code);
}

/** As `asServiceError`, but a fault of HTTP stays one. */
export function asEdgeError(error: unknown): ServiceError | HttpError {
  return error instanceof HttpError ? error : asServiceError(error);
}

/** The same of the name of a status. */
export function isFaultCode(name: string): boolean {
  return faultsOfOurs.has(Code[name as keyof typeof Code]);
}

/** Any error as the one that crosses borders. A fault of ours says nothing of its cause. */
export function asServiceError(error: unknown): ServiceError {
  if (error instanceof TranscodingError) {
    return error.faults.length > 0 ? invalidFields([...error.faults]) : malformedRequest(error.message);
  }
  if (!(error instanceof ServiceError)) return internal(error);
  return isFault(error) && error.message !== "internal error" ? internal(error) : error;
}
