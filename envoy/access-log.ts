import { extension, type Json, typed } from "./json.ts";
import { pathRegex, type Rpc } from "./rpcs.ts";

const pathWithoutQuery = "%REQ_WITHOUT_QUERY(:PATH)%";

/**
 * One line for each request at the edge: on standard output, or on standard error when it failed by a fault of ours. A
 * path that is none of ours is left out: it could be anything that somebody typed.
 */
export function edgeLog(rpcs: readonly Rpc[]): Json[] {
  return [true, false].flatMap((isKnown) => {
    const path = isKnown ? pathWithoutQuery : "-";
    const isOne = knownPath(rpcs, isKnown);
    return [
      accessLog("edge", { level: "info", path, filter: both(isOne, statusFilter("LE", 499)) }),
      accessLog("edge", { level: "error", path, filter: both(isOne, statusFilter("GE", 500)) }),
    ];
  });
}

/** A line for each call in the mesh that a part of it failed. */
export function meshLog(): Json[] {
  return [accessLog("mesh", { level: "warn", path: pathWithoutQuery, filter: failedCalls })];
}

const pages = ["/", "/docs", "/docs/scalar.js", "/openapi.json", "/health(/[a-z]+)?"];
const id = "[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}";

/** Paths that are served, with ids in the places of variables and nothing else. */
function knownPath(rpcs: readonly Rpc[], isKnown: boolean): Json {
  const paths = rpcs
    .filter((rpc) => rpc.public)
    .flatMap(({ path, rest }) => [pathRegex(path), ...rest.map(({ template }) => pathRegex(template, id))]);
  const regex = `(${[...new Set([...pages.map((page) => page.replaceAll(".", "\\.")), ...paths])].join("|")})(\\?.*)?`;
  const header = {
    name: ":path",
    string_match: { safe_regex: { regex } },
    invert_match: !isKnown,
    // What could not be read as HTTP has no path, and a line all the same.
    treat_missing_header_as_empty: true,
  };
  return { header_filter: { header } };
}

function both(...filters: Json[]): Json {
  return { and_filter: { filters } };
}

function statusFilter(op: "LE" | "GE", status: number): Json {
  const value = { default_value: status, runtime_key: `access_log.edge.status.${op.toLowerCase()}` };
  return { status_code_filter: { comparison: { op, value } } };
}

interface Line {
  level: "info" | "warn" | "error";
  path: string;
  filter: Json;
}

/** JSON lines. No query string, no header but the request id: both could carry a token. */
function accessLog(listener: "edge" | "mesh", { level, path, filter }: Line): Json {
  const [name, stream] = level === "error" ? ["stderr", "StderrAccessLog"] : ["stdout", "StdoutAccessLog"];
  return {
    name: `envoy.access_loggers.${name}`,
    filter,
    typed_config: typed(`envoy.extensions.access_loggers.stream.v3.${stream}`, {
      log_format: {
        formatters: [
          extension(
            "envoy.formatter.req_without_query",
            "envoy.extensions.formatter.req_without_query.v3.ReqWithoutQuery",
          ),
        ],
        json_format: {
          level,
          time: "%START_TIME%",
          "service.name": `envoy-${listener}`,
          "service.instance.id": "%ENVIRONMENT(SERVICE_INSTANCE_ID)%",
          method: "%REQ(:METHOD)%",
          path,
          protocol: "%PROTOCOL%",
          status: "%RESPONSE_CODE%",
          grpc_status: "%GRPC_STATUS%",
          flags: "%RESPONSE_FLAGS%",
          details: "%RESPONSE_CODE_DETAILS%",
          duration_ms: "%DURATION%",
          bytes_received: "%BYTES_RECEIVED%",
          bytes_sent: "%BYTES_SENT%",
          upstream_cluster: "%UPSTREAM_CLUSTER%",
          upstream_host: "%UPSTREAM_HOST%",
          attempts: "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
          remote_address: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
          connection_id: "%CONNECTION_ID%",
          request_id: "%REQ(X-REQUEST-ID)%",
          trace_id: "%TRACE_ID%",
          span_id: "%SPAN_ID%",
        },
      },
    }),
  };
}

/** Calls that a part of the mesh failed. Ordinary refusals (not found, not allowed) are the edge's log's to tell. */
const failedCalls: Json = {
  or_filter: {
    filters: [
      {
        status_code_filter: {
          comparison: { op: "GE", value: { default_value: 500, runtime_key: "access_log.mesh.status" } },
        },
      },
      {
        grpc_status_filter: {
          statuses: ["UNKNOWN", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"],
        },
      },
    ],
  },
};
