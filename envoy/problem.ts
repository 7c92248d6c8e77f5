import { securityHeaders } from "#kit/security-headers.ts";
import type { Json } from "./json.ts";
import { isThrottled } from "./throttle.ts";

interface Problem {
  status: number;
  title: string;
  detail: string;
  code: string;
  reason: string;
}

/** What Envoy itself answers, by status. The wording of its own texts tells strangers of its insides. */
const problems: Problem[] = [
  {
    status: 400,
    title: "Bad Request",
    detail: "the request is malformed",
    code: "INVALID_ARGUMENT",
    reason: "INVALID_FIELD",
  },
  {
    status: 403,
    title: "Forbidden",
    detail: "the call is not allowed",
    code: "PERMISSION_DENIED",
    reason: "PERMISSION_DENIED",
  },
  {
    status: 404,
    title: "Not Found",
    detail: "nothing is served under this path",
    code: "NOT_FOUND",
    reason: "UNKNOWN_METHOD",
  },
  {
    status: 408,
    title: "Request Timeout",
    detail: "the request took too long to arrive",
    code: "DEADLINE_EXCEEDED",
    reason: "DEADLINE_EXCEEDED",
  },
  {
    status: 413,
    title: "Content Too Large",
    detail: "the body is too large",
    code: "RESOURCE_EXHAUSTED",
    reason: "MESSAGE_TOO_LARGE",
  },
  {
    status: 426,
    title: "Upgrade Required",
    detail: "another protocol is needed here",
    code: "INVALID_ARGUMENT",
    reason: "INVALID_FIELD",
  },
  {
    status: 429,
    title: "Too Many Requests",
    detail: "too many requests",
    code: "RESOURCE_EXHAUSTED",
    reason: "RATE_LIMITED",
  },
  {
    status: 431,
    title: "Request Header Fields Too Large",
    detail: "the headers are too large",
    code: "INVALID_ARGUMENT",
    reason: "INVALID_FIELD",
  },
  { status: 500, title: "Internal Server Error", detail: "internal error", code: "INTERNAL", reason: "INTERNAL" },
  {
    status: 501,
    title: "Not Implemented",
    detail: "the request asks for what is not served",
    code: "UNIMPLEMENTED",
    reason: "INVALID_FIELD",
  },
  {
    status: 502,
    title: "Bad Gateway",
    detail: "the service is away for the moment",
    code: "UNAVAILABLE",
    reason: "UNAVAILABLE",
  },
  {
    status: 503,
    title: "Service Unavailable",
    detail: "the service is away for the moment",
    code: "UNAVAILABLE",
    reason: "UNAVAILABLE",
  },
  {
    status: 504,
    title: "Gateway Timeout",
    detail: "the call took too long",
    code: "DEADLINE_EXCEEDED",
    reason: "DEADLINE_EXCEEDED",
  },
];

const tooMuch: Problem = {
  status: 429,
  title: "Too Many Requests",
  detail: "the server has too much to do; try again in a second",
  code: "RESOURCE_EXHAUSTED",
  reason: "OVERLOADED",
};

/**
 * What Envoy answers on its own: problem documents (RFC 9457) to HTTP, its status as ever to gRPC, and with all of it
 * the headers that no answer goes without.
 */
export function localReplies(): Json {
  const throttled = mapper([isThrottled, isNoGrpc], document(tooMuch, requestId), always(tooMuch));
  const toHttp = problems.flatMap((problem) => [
    mapper([statusIs(problem.status), isWithoutId], document(problem, connectionId), [
      ...always(problem),
      connectionIdHeader,
    ]),
    mapper([statusIs(problem.status), isNoGrpc], document(problem, requestId), always(problem)),
  ]);
  const rest = mapper([statusFrom(100)], {}, headersOf(securityHeaders));
  return { mappers: [throttled, ...toHttp, rest] };
}

const requestId = "%REQ(X-REQUEST-ID)%";
/** What was refused before it was a request has no id; the log line tells of its connection. */
const connectionId = "connection-%CONNECTION_ID%";
const connectionIdHeader = header("x-request-id", connectionId);

function mapper(filters: Json[], format: Json, headers: Json[]): Json {
  return { filter: { and_filter: { filters: [anything, ...filters] } }, ...format, headers_to_add: headers };
}

function document({ status, title, detail, code, reason }: Problem, id: string): Json {
  return {
    body_format_override: {
      json_format: { type: "about:blank", title, status, detail, code, reason, requestId: id, traceId: "%TRACE_ID%" },
      omit_empty_values: true,
      content_type: "application/problem+json",
    },
  };
}

function always({ status }: Problem): Json[] {
  const retryAfter = status === 503 || status === 429 ? [header("retry-after", "1")] : [];
  return [...headersOf(securityHeaders), ...retryAfter];
}

function headersOf(headers: Readonly<Record<string, string>>): Json[] {
  return Object.entries(headers).map(([name, value]) => header(name, value));
}

function header(key: string, value: string): Json {
  return { header: { key, value }, append_action: "OVERWRITE_IF_EXISTS_OR_ADD" };
}

function statusFrom(status: number, op: "EQ" | "GE" = "GE"): Json {
  return {
    status_code_filter: { comparison: { op, value: { default_value: status, runtime_key: "local_reply.status" } } },
  };
}

function statusIs(status: number): Json {
  return statusFrom(status, "EQ");
}

/** gRPC and gRPC-Web, in all their spellings. */
export const isGrpc: Json = { name: "content-type", string_match: { prefix: "application/grpc" } };

const isNoGrpc: Json = {
  header_filter: { header: { ...isGrpc, invert_match: true, treat_missing_header_as_empty: true } },
};
const isWithoutId: Json = { header_filter: { header: { name: "x-request-id", present_match: false } } };
/** A list of filters needs two at least. */
const anything: Json = statusFrom(100);
