import { type Dashboard, latency, lines, number } from "../model.ts";

const chosen = 'service=~"$service",instance=~"$instance"';
const database = 'datname=~"$datname"';

const databases: Dashboard = {
  uid: "databases",
  title: "Databases and pools",
  variables: ["service", "instance"],
  panels: [
    latency("Time of a statement", "db_client_operation_duration", `{${chosen}}`),
    lines(
      "p95 by statement",
      "s",
      [
        {
          expr: `histogram_quantile(0.95, sum by (le, db_operation_name, db_collection_name) (rate(db_client_operation_duration_bucket{${chosen}}[$__rate_interval])))`,
          legend: "{{db_operation_name}} {{db_collection_name}}",
        },
      ],
      { exemplars: true },
    ),
    lines("Statements", "ops", [
      {
        expr: `sum by (service, db_operation_name) (rate(db_client_operation_duration_count{${chosen}}[$__rate_interval]))`,
        legend: "{{service}} {{db_operation_name}}",
      },
    ]),
    lines("Pools", "short", [
      {
        expr: `sum by (service, db_client_connection_state) (db_client_connection_count{${chosen}})`,
        legend: "{{service}} {{db_client_connection_state}}",
      },
      { expr: `sum by (service) (db_client_connection_max{${chosen}})`, legend: "{{service}} max" },
    ]),
    lines(
      "Callers that wait for a connection",
      "short",
      [
        {
          expr: `sum by (service, instance) (db_client_connection_pending_requests{${chosen}})`,
          legend: "{{instance}}",
        },
      ],
      { warnAbove: 1 },
    ),
    lines(
      "Pool in use",
      "percentunit",
      [
        {
          expr: `sum by (service, instance) (db_client_connection_count{db_client_connection_state="used",${chosen}}) / sum by (service, instance) (db_client_connection_max{${chosen}})`,
          legend: "{{instance}}",
        },
      ],
      { warnAbove: 0.9 },
    ),
  ],
};

const postgres: Dashboard = {
  uid: "postgres",
  title: "PostgreSQL",
  variables: ["datname"],
  panels: [
    lines("Connections by state", "short", [
      { expr: `sum by (state) (pg_stat_activity_count{${database}})`, legend: "{{state}}" },
      { expr: "max(pg_settings_max_connections)", legend: "max" },
    ]),
    lines(
      "Longest transaction under way",
      "s",
      [{ expr: `max by (datname) (pg_stat_activity_max_tx_duration{${database}})`, legend: "{{datname}}" }],
      { warnAbove: 30 },
    ),
    lines("Age of what replicas show", "s", [
      { expr: "max by (application_name) (pg_replication_lag_seconds)", legend: "{{application_name}}" },
    ]),
    lines("Size of databases", "bytes", [{ expr: `pg_database_size_bytes{${database}}`, legend: "{{datname}}" }]),
    lines("Transactions", "ops", [
      {
        expr: `sum by (datname) (rate(pg_stat_database_xact_commit{${database}}[$__rate_interval]))`,
        legend: "{{datname}}",
      },
      {
        expr: `sum by (datname) (rate(pg_stat_database_xact_rollback{${database}}[$__rate_interval]))`,
        legend: "{{datname}} rolled back",
      },
    ]),
    lines("Blocks found in memory", "percentunit", [
      {
        expr: `sum by (datname) (rate(pg_stat_database_blks_hit{${database}}[$__rate_interval])) / (sum by (datname) (rate(pg_stat_database_blks_hit{${database}}[$__rate_interval])) + sum by (datname) (rate(pg_stat_database_blks_read{${database}}[$__rate_interval])))`,
        legend: "{{datname}}",
      },
    ]),
    lines(
      "Waiting for the disk",
      "percentunit",
      [{ expr: "sum by (operation) (rate(pg_stat_io_wait_seconds_total[$__rate_interval]))", legend: "{{operation}}" }],
      { warnAbove: 0.7 },
    ),
    lines("Deadlocks", "ops", [
      {
        expr: `sum by (datname) (rate(pg_stat_database_deadlocks{${database}}[$__rate_interval]))`,
        legend: "{{datname}}",
      },
    ]),
    lines(
      "CPU of the parts",
      "percentunit",
      [
        {
          expr: "sum by (groupname) (rate(namedprocess_namegroup_cpu_seconds_total[$__rate_interval]))",
          legend: "{{groupname}}",
        },
      ],
      { warnAbove: 0.7 },
    ),
    lines("Memory of the parts", "bytes", [
      { expr: 'sum by (groupname) (namedprocess_namegroup_memory_bytes{memtype="resident"})', legend: "{{groupname}}" },
    ]),
    lines(
      "Disk in use",
      "percentunit",
      [{ expr: "1 - node_filesystem_avail_bytes / node_filesystem_size_bytes", legend: "{{mountpoint}}" }],
      { warnAbove: 0.8 },
    ),
  ],
};

const redis: Dashboard = {
  uid: "redis",
  title: "Redis",
  panels: [
    number("Answers", "short", "max(redis_up)"),
    number("Memory in use", "bytes", "max(redis_memory_used_bytes)", { warnAbove: 419_430_400 }),
    number("Commands a second", "ops", "sum(redis_instantaneous_ops_per_sec)"),
    number("Keys evicted, 1 h", "short", "sum(increase(redis_evicted_keys_total[1h]))", { warnAbove: 1 }),
    lines(
      "Memory",
      "bytes",
      [
        { expr: "redis_memory_used_bytes", legend: "in use" },
        { expr: "redis_memory_used_rss_bytes", legend: "resident" },
        { expr: "redis_memory_max_bytes", legend: "may be used" },
      ],
      { warnAbove: 419_430_400 },
    ),
    lines("Commands", "ops", [{ expr: "rate(redis_commands_processed_total[$__rate_interval])", legend: "commands" }]),
    lines("Keys dropped", "ops", [
      { expr: "rate(redis_evicted_keys_total[$__rate_interval])", legend: "evicted" },
      { expr: "rate(redis_expired_keys_total[$__rate_interval])", legend: "expired" },
    ]),
    lines("Keys found", "percentunit", [
      {
        expr: "rate(redis_keyspace_hits_total[$__rate_interval]) / (rate(redis_keyspace_hits_total[$__rate_interval]) + rate(redis_keyspace_misses_total[$__rate_interval]))",
        legend: "hits",
      },
    ]),
    lines("Clients", "short", [
      { expr: "redis_connected_clients", legend: "connected" },
      { expr: "redis_blocked_clients", legend: "blocked" },
      { expr: "rate(redis_connections_received_total[$__rate_interval])", legend: "new a second" },
    ]),
    lines(
      "CPU",
      "percentunit",
      [
        {
          expr: "rate(redis_cpu_user_seconds_total[$__rate_interval]) + rate(redis_cpu_sys_seconds_total[$__rate_interval])",
          legend: "CPU",
        },
      ],
      { warnAbove: 0.8 },
    ),
    lines("Network", "Bps", [
      { expr: "rate(redis_net_input_bytes_total[$__rate_interval])", legend: "in" },
      { expr: "rate(redis_net_output_bytes_total[$__rate_interval])", legend: "out" },
    ]),
  ],
};

const node: Dashboard = {
  uid: "node",
  title: "Node processes",
  variables: ["service", "instance"],
  panels: [
    lines(
      "CPU",
      "percentunit",
      [{ expr: `rate(process_cpu_time_total{${chosen}}[$__rate_interval])`, legend: "{{instance}}" }],
      { warnAbove: 0.7 },
    ),
    lines("Resident memory", "bytes", [{ expr: `process_memory_usage{${chosen}}`, legend: "{{instance}}" }]),
    lines(
      "Heap",
      "percentunit",
      [{ expr: `v8js_memory_heap_used{${chosen}} / v8js_memory_heap_limit{${chosen}}`, legend: "{{instance}}" }],
      { warnAbove: 0.8 },
    ),
    lines(
      "Delay of the event loop",
      "s",
      [
        { expr: `nodejs_eventloop_delay_p99{${chosen}}`, legend: "{{instance}} p99" },
        { expr: `nodejs_eventloop_delay_p50{${chosen}}`, legend: "{{instance}} p50" },
        { expr: `nodejs_eventloop_delay_max{${chosen}}`, legend: "{{instance}} max" },
      ],
      { warnAbove: 0.1 },
    ),
    lines(
      "Event loop in use",
      "percentunit",
      [{ expr: `nodejs_eventloop_utilization{${chosen}}`, legend: "{{instance}}" }],
      { warnAbove: 0.9 },
    ),
    lines("Calls under way, and how many may be", "short", [
      { expr: `taskmesh_overload_in_flight{${chosen}}`, legend: "{{instance}}" },
      { expr: `taskmesh_overload_limit{${chosen}}`, legend: "{{instance}} limit" },
    ]),
    lines("Calls shed", "reqps", [
      {
        expr: `sum by (service, taskmesh_priority) (rate(taskmesh_overload_shed_calls_total{${chosen}}[$__rate_interval]))`,
        legend: "{{service}} {{taskmesh_priority}}",
      },
    ]),
    lines("Breakers: open, and how often opened", "short", [
      {
        expr: `sum by (service, rpc_method) (taskmesh_breaker_open{${chosen}})`,
        legend: "{{service}} {{rpc_method}} open",
      },
      {
        expr: `sum by (service, rpc_method) (increase(taskmesh_breaker_opened_total{${chosen}}[$__rate_interval]))`,
        legend: "{{service}} {{rpc_method}} opened",
      },
    ]),
    lines("Time in garbage collection", "percentunit", [
      {
        expr: `sum by (instance, v8js_gc_type) (rate(v8js_gc_duration_sum{${chosen}}[$__rate_interval]))`,
        legend: "{{instance}} {{v8js_gc_type}}",
      },
    ]),
    lines("Uptime", "s", [{ expr: `process_uptime{${chosen}}`, legend: "{{instance}}" }]),
    lines("Spans", "ops", [
      {
        expr: `sum by (service) (rate(otel_sdk_processor_span_processed_total{error_type="",${chosen}}[$__rate_interval]))`,
        legend: "{{service}} sent",
      },
      {
        expr: `sum by (service, error_type) (rate(otel_sdk_processor_span_processed_total{error_type!="",${chosen}}[$__rate_interval]))`,
        legend: "{{service}} lost: {{error_type}}",
      },
      { expr: "rate(envoy_tracing_opentelemetry_spans_sent[$__rate_interval])", legend: "Envoy sent" },
      { expr: "rate(envoy_tracing_opentelemetry_spans_dropped[$__rate_interval])", legend: "Envoy lost" },
    ]),
    lines(
      "Spans that wait",
      "percentunit",
      [
        {
          expr: `otel_sdk_processor_span_queue_size{${chosen}} / otel_sdk_processor_span_queue_capacity{${chosen}}`,
          legend: "{{instance}}",
        },
      ],
      { warnAbove: 0.8 },
    ),
  ],
};

export const machineBoards: readonly Dashboard[] = [databases, postgres, redis, node];
