import type { Json } from "./json.ts";

interface Problem {
  status: number;
  title: string;
  code: string;
  reason: string;
}

/** What Envoy itself answers, by status. The wording of its own texts tells strangers of its insides. */
const problems: Problem[] = [
  { status: 400, title: "Bad Request", code: "INVALID_ARGUMENT", reason: "INVALID_REQUEST" },
  { status: 404, title: "Not Found", code: "NOT_FOUND", reason: "UNKNOWN_METHOD" },
  { status: 408, title: "Request Timeout", code: "DEADLINE_EXCEEDED", reason: "DEADLINE_EXCEEDED" },
  { status: 413, title: "Content Too Large", code: "RESOURCE_EXHAUSTED", reason: "MESSAGE_TOO_LARGE" },
  { status: 431, title: "Request Header Fields Too Large", code: "INVALID_ARGUMENT", reason: "INVALID_REQUEST" },
  { status: 503, title: "Service Unavailable", code: "UNAVAILABLE", reason: "UNAVAILABLE" },
  { status: 504, title: "Gateway Timeout", code: "DEADLINE_EXCEEDED", reason: "DEADLINE_EXCEEDED" },
];

/** Problem documents (RFC 9457) for what Envoy answers on its own to HTTP; to gRPC it says its status as ever. */
export function localReplies(): Json {
  return { mappers: problems.map(mapper) };
}

function mapper({ status, title, code, reason }: Problem): Json {
  return {
    filter: {
      and_filter: {
        filters: [
          {
            status_code_filter: {
              comparison: { op: "EQ", value: { default_value: status, runtime_key: "local_reply.status" } },
            },
          },
          { header_filter: { header: { ...isGrpc, invert_match: true, treat_missing_header_as_empty: true } } },
        ],
      },
    },
    body_format_override: {
      json_format: { type: "about:blank", title, status, code, reason, traceId: "%TRACE_ID%" },
      content_type: "application/problem+json",
    },
    ...(status === 503 ? { headers_to_add: [{ header: { key: "retry-after", value: "1" } }] } : {}),
  };
}

/** gRPC and gRPC-Web, in all their spellings. */
export const isGrpc: Json = { name: "content-type", string_match: { prefix: "application/grpc" } };
