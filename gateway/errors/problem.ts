import { STATUS_CODES } from "node:http";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { codeName, type FieldViolation, type ServiceError } from "#kit/errors.ts";
import type { Binding } from "../transcoding/binding.ts";
import { clientField } from "../transcoding/client-field.ts";
import { TokenMissingError } from "./edge-error.ts";
import { httpStatus } from "./http-status.ts";

const unquotable = /[^\x20-\x21\x23-\x5b\x5d-\x7e]/g;

/** A problem document (RFC 9457) with the members that all our answers share. */
export interface Problem {
  type: "about:blank";
  title: string;
  status: number;
  detail: string;
  /** Status of gRPC: "NOT_FOUND". */
  code: string;
  /** Reason of mesh.v1.ErrorReason: "TASK_NOT_FOUND". */
  reason: string;
  /** Fields by their JSON names, relative to the body when they are in it. */
  fieldViolations?: FieldViolation[];
  metadata?: Record<string, string>;
  traceId?: string;
  requestId: string;
  /** When to come back, in seconds; only where there is no header to say it. */
  retryAfter?: number;
}

export interface ProblemPlace {
  requestId: string;
  traceId: string | undefined;
  /** The route that was called, if one was found. */
  binding?: Binding | undefined;
  /** Unless the error's own is meant. */
  status?: number | undefined;
}

/** The problem document of an error. */
export function problemOf(error: ServiceError, { requestId, traceId, binding, status }: ProblemPlace): Problem {
  const answered = status ?? httpStatus(error);
  const problem: Problem = {
    type: "about:blank",
    title: STATUS_CODES[answered] ?? (answered === 499 ? "Client Closed Request" : "Error"),
    status: answered,
    detail: error.message,
    code: codeName(error.code),
    reason: ErrorReason[error.reason] ?? "UNSPECIFIED",
    requestId,
  };
  if (error.fieldViolations.length > 0) {
    problem.fieldViolations = error.fieldViolations.map(({ field, description }) => ({
      field: binding ? clientField(binding, field) : field,
      description,
    }));
    problem.detail = problem.fieldViolations.map(inWords).join("; ");
  }
  if (Object.keys(error.metadata).length > 0) problem.metadata = { ...error.metadata };
  if (traceId !== undefined) problem.traceId = traceId;
  return problem;
}

/** The headers that an error asks for, beside those of its body. */
export function errorHeaders(error: ServiceError, status = httpStatus(error)): Record<string, string> {
  const headers: Record<string, string> = {};
  if (error.retryAfterMs !== undefined)
    headers["retry-after"] = String(Math.max(1, Math.ceil(error.retryAfterMs / 1000)));
  if (status === 401) headers["www-authenticate"] = challenge(error);
  return headers;
}

/** RFC 6750, section 3: a token that was given and refused is named as the reason. */
function challenge(error: ServiceError): string {
  const realm = 'Bearer realm="taskmesh"';
  const isToken = error.reason === ErrorReason.TOKEN_INVALID || error.reason === ErrorReason.TOKEN_EXPIRED;
  if (!isToken || error instanceof TokenMissingError) return realm;
  return `${realm}, error="invalid_token", error_description="${error.message.replaceAll(unquotable, "")}"`;
}

function inWords({ field, description }: FieldViolation): string {
  return `${field || "the body"}: ${description}`;
}
