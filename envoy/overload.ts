import { extension, type Json, typed } from "./json.ts";
import type { Settings } from "./options.ts";

/** What Envoy does before it runs out of memory or connections, mildest first. */
export function overloadManager({ maxHeapBytes, maxConnections }: Settings): Json {
  return {
    refresh_interval: "0.25s",
    resource_monitors: [
      extension(
        "envoy.resource_monitors.fixed_heap",
        "envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig",
        { max_heap_size_bytes: maxHeapBytes },
      ),
      extension(
        "envoy.resource_monitors.global_downstream_max_connections",
        "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
        { max_active_downstream_connections: maxConnections },
      ),
    ],
    // Streams that hold a lot can be told from others: from 64 KiB on.
    buffer_factory_config: { minimum_account_to_track_power_of_two: 16 },
    actions: [
      reduceTimeouts,
      { name: "envoy.overload_actions.reset_high_memory_stream", triggers: [between(0.88, 0.98)] },
      action("envoy.overload_actions.shrink_heap", 0.9),
      action("envoy.overload_actions.disable_http_keepalive", 0.92),
      action("envoy.overload_actions.stop_accepting_requests", 0.95),
      action("envoy.overload_actions.stop_accepting_connections", 0.98),
    ],
  };
}

/** Who is idle, or slow with its headers, goes sooner the less memory there is. */
const reduceTimeouts: Json = {
  name: "envoy.overload_actions.reduce_timeouts",
  triggers: [between(0.8, 0.95)],
  typed_config: typed("envoy.config.overload.v3.ScaleTimersOverloadActionConfig", {
    timer_scale_factors: [
      { timer: "HTTP_DOWNSTREAM_CONNECTION_IDLE", min_timeout: "2s" },
      { timer: "HTTP_DOWNSTREAM_STREAM_IDLE", min_timeout: "10s" },
      { timer: "TRANSPORT_SOCKET_CONNECT", min_timeout: "2s" },
    ],
  }),
};

/** Begins at one share of the heap, and is at its full strength at the other. */
function between(scaling: number, saturation: number): Json {
  return {
    name: "envoy.resource_monitors.fixed_heap",
    scaled: { scaling_threshold: scaling, saturation_threshold: saturation },
  };
}

function action(name: string, heapShare: number): Json {
  return { name, triggers: [{ name: "envoy.resource_monitors.fixed_heap", threshold: { value: heapShare } }] };
}

/** Settings that are runtime keys only. */
export const runtime: Json = {
  layers: [
    {
      name: "static",
      static_layer: {
        // One expression names every path of a rate class. All of them are ours, and RE2's time is linear.
        "re2.max_program_size.error_level": 10_000,
        // A peer that floods one connection with streams and resets them gets one request read at a time, and is cut off
        // once half of its 500 streams were reset at once (CVE-2023-44487).
        "http.max_requests_per_io_cycle": 1,
        "overload.premature_reset_total_stream_count": 500,
        "overload.premature_reset_min_stream_lifetime_seconds": 1,
        // A trace is whole within a second, also when few calls come.
        "tracing.opentelemetry.flush_interval_ms": 500,
        "tracing.opentelemetry.min_flush_spans": 100,
      },
    },
  ],
};

/** The statistics that somebody looks at; the rest would be thousands, for every cluster and listener. */
export const statistics: Json = {
  stats_matcher: {
    inclusion_list: {
      patterns: [
        {
          safe_regex: {
            regex:
              "cluster\\.\\w+\\.upstream_rq_(total|time|completed|[1-5]xx|pending_overflow|timeout|per_try_timeout|retry.*|active)",
          },
        },
        { safe_regex: { regex: "cluster\\.\\w+\\.upstream_cx_(active|total|connect_fail|overflow)" } },
        {
          safe_regex: {
            regex:
              "cluster\\.\\w+\\.(membership_.*|outlier_detection\\.ejections_(active|enforced_total)|health_check\\.(failure|success))",
          },
        },
        {
          safe_regex: {
            regex:
              "http\\.(edge|edge_tls|mesh)\\.downstream_(rq_(total|time|completed|active|[1-5]xx|rx_reset)|cx_(active|total))",
          },
        },
        { prefix: "overload." },
        { prefix: "server." },
        { prefix: "tracing." },
        { suffix: ".update_failure" },
        { suffix: ".update_rejected" },
      ],
    },
  },
};
