import { extension, type Json, typed } from "./json.ts";

const pathWithoutQuery = "%REQ_WITHOUT_QUERY(:PATH)%";

/** JSON lines on standard output. No query string, no header but the request id: both could carry a token. */
export function accessLog(listener: "edge" | "mesh", filter?: Json): Json {
  return {
    name: "envoy.access_loggers.stdout",
    ...(filter ? { filter } : {}),
    typed_config: typed("envoy.extensions.access_loggers.stream.v3.StdoutAccessLog", {
      log_format: {
        formatters: [
          extension(
            "envoy.formatter.req_without_query",
            "envoy.extensions.formatter.req_without_query.v3.ReqWithoutQuery",
          ),
        ],
        json_format: {
          time: "%START_TIME%",
          "service.name": `envoy-${listener}`,
          method: "%REQ(:METHOD)%",
          path: pathWithoutQuery,
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
        },
      },
    }),
  };
}

/** Calls that a part of the mesh failed. Ordinary refusals (not found, not allowed) are the edge's log's to tell. */
export const failedCalls: Json = {
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
