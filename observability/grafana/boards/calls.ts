import { type Dashboard, latency, lines, number } from "../model.ts";

const chosen = 'service=~"$service",instance=~"$instance"';
const edge = 'envoy_http_conn_manager_prefix=~"edge|edge_tls"';
/** Streams last as long as their reader likes. */
const calls = 'http_route!~".*([Ww]atch|/live).*"';

const slo: Dashboard = {
  uid: "slo",
  title: "Overview and objectives",
  panels: [
    number("Availability, 1 h", "percentunit", "1 - taskmesh:edge_errors:ratio1h"),
    number("Answers within 500 ms, 1 h", "percentunit", "1 - taskmesh:edge_slow:ratio1h"),
    number("Requests a second", "reqps", "taskmesh:edge_requests:rate5m"),
    number("Firing alerts", "short", 'count(ALERTS{alertstate="firing"}) or vector(0)', { warnAbove: 1 }),
    lines(
      "Error budget burn (1 = on budget)",
      "short",
      [
        { expr: "taskmesh:edge_errors:ratio5m / 0.001", legend: "availability, 5 min" },
        { expr: "taskmesh:edge_errors:ratio1h / 0.001", legend: "availability, 1 h" },
        { expr: "taskmesh:edge_slow:ratio5m / 0.01", legend: "latency, 5 min" },
        { expr: "taskmesh:edge_slow:ratio1h / 0.01", legend: "latency, 1 h" },
      ],
      { warnAbove: 14.4 },
    ),
    latency("Latency at the gateway", "http_server_request_duration", `{${calls}}`),
    lines("Requests by status", "reqps", [
      {
        expr: `sum by (envoy_response_code_class) (rate(envoy_http_downstream_rq_xx{${edge}}[$__rate_interval]))`,
        legend: "{{envoy_response_code_class}}xx",
      },
    ]),
    lines("Instances that answer", "short", [{ expr: "sum by (service) (up)", legend: "{{service}}" }]),
    lines(
      "From event to effect, p99",
      "s",
      [
        {
          expr: "histogram_quantile(0.99, sum by (le, messaging_consumer_group_name) (rate(taskmesh_event_age_bucket[$__rate_interval])))",
          legend: "{{messaging_consumer_group_name}}",
        },
      ],
      { exemplars: true },
    ),
    lines(
      "Age of the oldest unsent event",
      "s",
      [{ expr: "max by (service) (taskmesh_outbox_lag)", legend: "{{service}}" }],
      { warnAbove: 2 },
    ),
  ],
};

const rpcs: Dashboard = {
  uid: "rpcs",
  title: "RPCs",
  variables: ["service", "instance"],
  panels: [
    lines("Rate by RPC", "reqps", [
      {
        expr: `sum by (rpc_method) (rate(rpc_server_call_duration_count{${chosen}}[$__rate_interval]))`,
        legend: "{{rpc_method}}",
      },
    ]),
    lines("Refused and failed calls", "reqps", [
      {
        expr: `sum by (rpc_response_status_code) (rate(rpc_server_call_duration_count{rpc_response_status_code!="OK",${chosen}}[$__rate_interval]))`,
        legend: "{{rpc_response_status_code}}",
      },
    ]),
    latency("Latency at the service", "rpc_server_call_duration", `{${chosen}}`),
    lines(
      "p95 by RPC",
      "s",
      [
        {
          expr: `histogram_quantile(0.95, sum by (le, rpc_method) (rate(rpc_server_call_duration_bucket{${chosen}}[$__rate_interval])))`,
          legend: "{{rpc_method}}",
        },
      ],
      { exemplars: true, warnAbove: 0.5 },
    ),
    latency("Latency as callers see it", "rpc_client_call_duration", `{${chosen}}`),
    lines("Reasons of refusals", "reqps", [
      {
        expr: `sum by (error_type) (rate(rpc_server_call_duration_count{error_type!="",${chosen}}[$__rate_interval]))`,
        legend: "{{error_type}}",
      },
    ]),
  ],
};

const edgeBoard: Dashboard = {
  uid: "edge",
  title: "Gateway and edge",
  variables: ["instance"],
  panels: [
    lines("Rate by route", "reqps", [
      {
        expr: 'sum by (http_request_method, http_route) (rate(http_server_request_duration_count{instance=~"$instance"}[$__rate_interval]))',
        legend: "{{http_request_method}} {{http_route}}",
      },
    ]),
    lines("4xx and 5xx by status", "reqps", [
      {
        expr: 'sum by (http_response_status_code) (rate(http_server_request_duration_count{http_response_status_code=~"4..|5..",instance=~"$instance"}[$__rate_interval]))',
        legend: "{{http_response_status_code}}",
      },
    ]),
    latency("Latency at the gateway", "http_server_request_duration", `{${calls},instance=~"$instance"}`),
    lines("Latency at Envoy, p99", "s", [
      {
        expr: `histogram_quantile(0.99, sum by (le) (rate(envoy_http_downstream_rq_time_bucket{${edge}}[$__rate_interval]))) / 1000`,
        legend: "edge",
      },
      {
        expr: "histogram_quantile(0.99, sum by (le, envoy_cluster_name) (rate(envoy_cluster_upstream_rq_time_bucket[$__rate_interval]))) / 1000",
        legend: "{{envoy_cluster_name}}",
      },
    ]),
    lines("Connections and requests under way", "short", [
      {
        expr: "sum by (envoy_http_conn_manager_prefix) (envoy_http_downstream_cx_active)",
        legend: "connections of {{envoy_http_conn_manager_prefix}}",
      },
      { expr: 'sum(http_server_active_requests{instance=~"$instance"})', legend: "requests at the gateway" },
    ]),
    lines("Open sockets and streams", "short", [
      {
        expr: 'sum by (network_protocol_name) (taskmesh_gateway_streams{instance=~"$instance"})',
        legend: "{{network_protocol_name}}",
      },
    ]),
    lines("Healthy instances behind Envoy", "short", [
      { expr: "envoy_cluster_membership_healthy", legend: "{{envoy_cluster_name}}" },
      { expr: "envoy_cluster_outlier_detection_ejections_active", legend: "{{envoy_cluster_name}}, ejected" },
    ]),
    lines("Retries, time-outs and full budgets", "reqps", [
      {
        expr: "sum by (envoy_cluster_name) (rate(envoy_cluster_upstream_rq_retry[$__rate_interval]))",
        legend: "{{envoy_cluster_name}} retries",
      },
      {
        expr: "sum by (envoy_cluster_name) (rate(envoy_cluster_upstream_rq_timeout[$__rate_interval]))",
        legend: "{{envoy_cluster_name}} time-outs",
      },
      {
        expr: "sum by (envoy_cluster_name) (rate(envoy_cluster_upstream_rq_retry_overflow[$__rate_interval]))",
        legend: "{{envoy_cluster_name}} budget full",
      },
      {
        expr: "sum by (envoy_cluster_name) (rate(envoy_cluster_upstream_rq_pending_overflow[$__rate_interval]))",
        legend: "{{envoy_cluster_name}} overflow",
      },
    ]),
    lines("Envoy's memory", "bytes", [
      { expr: "envoy_server_memory_physical_size", legend: "physical" },
      { expr: "envoy_server_memory_allocated", legend: "allocated" },
    ]),
  ],
};

const limits: Dashboard = {
  uid: "limits",
  title: "Rate limits, sign-in and caches",
  panels: [
    lines("Calls blocked, a minute", "short", [
      {
        expr: "sum by (taskmesh_limits_name) (rate(taskmesh_limits_refusals_total[$__rate_interval])) * 60",
        legend: "{{taskmesh_limits_name}}",
      },
    ]),
    lines("Where calls are counted", "reqps", [
      {
        expr: "sum by (taskmesh_limits_store, taskmesh_outcome) (rate(taskmesh_limits_calls_total[$__rate_interval]))",
        legend: "{{taskmesh_limits_store}} {{taskmesh_outcome}}",
      },
    ]),
    lines("Logins", "reqps", [
      {
        expr: "sum by (taskmesh_outcome) (rate(taskmesh_auth_logins_total[$__rate_interval]))",
        legend: "{{taskmesh_outcome}}",
      },
    ]),
    lines("Refreshes of tokens", "reqps", [
      {
        expr: "sum by (taskmesh_outcome) (rate(taskmesh_auth_token_refreshes_total[$__rate_interval]))",
        legend: "{{taskmesh_outcome}}",
      },
      { expr: "sum(rate(taskmesh_auth_token_reuse_total[$__rate_interval]))", legend: "stolen" },
    ]),
    latency("Hashing of passwords", "taskmesh_auth_hash_duration"),
    lines("Cache hits", "percentunit", [
      {
        expr: 'sum by (taskmesh_cache_name) (rate(taskmesh_cache_lookups_total{taskmesh_cache_result="hit"}[$__rate_interval])) / sum by (taskmesh_cache_name) (rate(taskmesh_cache_lookups_total[$__rate_interval]))',
        legend: "{{taskmesh_cache_name}}",
      },
    ]),
    number("Accounts made, 1 h", "short", "sum(increase(taskmesh_auth_registrations_total[1h]))"),
  ],
};

export const callBoards: readonly Dashboard[] = [slo, rpcs, edgeBoard, limits];
