/** Series that an alert looks at, one value a minute: what makes it fire, and what leaves it quiet. */
export interface AlertCase {
  alert: string;
  /** By series; values in promtool's notation: "0+60x30" is 0, 60, 120 and so on. */
  fires: Record<string, string>;
  quiet: Record<string, string>;
  minutes?: number;
}

/** How long a case lasts before it is looked at, in minutes: as long as its longest window. */
const usual = 20;
const longest = 380;
const steady = (value: number) => `${value}+0x${longest}`;
/** A counter that grows so much a second. */
const growing = (perSecond: number) => `0+${perSecond * 60}x${longest}`;

const edge = (code: number) =>
  `envoy_http_downstream_rq_xx{envoy_response_code_class="${code}",envoy_http_conn_manager_prefix="edge"}`;
const http = (suffix: string, le = "") =>
  `http_server_request_duration_${suffix}{http_route="/v1/tasks"${le && `,le="${le}"`}}`;
const rpc = (code: string) =>
  `rpc_server_call_duration_count{service="task",rpc_method="a/B",rpc_response_status_code="${code}"}`;
const rpcBucket = (le: string) => `rpc_server_call_duration_bucket{service="task",rpc_method="a/B",le="${le}"}`;
const dbBucket = (le: string) => `db_client_operation_duration_bucket{service="task",le="${le}"}`;
const tx = (state: string) => `pg_stat_activity_max_tx_duration{datname="task",state="${state}"}`;
const consumer = (what: string) =>
  `taskmesh_consumer_${what}{messaging_consumer_group_name="email",messaging_destination_name="a.v1",messaging_destination_partition_id="1"}`;
const spans = 'otel_sdk_processor_span_processed_total{service="task",error_type="queue_full"}';

/** Just above and just below each threshold. */
export const alertCases: readonly AlertCase[] = [
  {
    alert: "AvailabilityBudgetBurnsFast",
    minutes: 70,
    fires: { [edge(2)]: growing(98), [edge(5)]: growing(2) },
    quiet: { [edge(2)]: growing(99), [edge(5)]: growing(1) },
  },
  {
    alert: "AvailabilityBudgetBurnsSlowly",
    minutes: longest,
    fires: { [edge(2)]: growing(99.3), [edge(5)]: growing(0.7) },
    quiet: { [edge(2)]: growing(99.5), [edge(5)]: growing(0.5) },
  },
  {
    alert: "LatencyBudgetBurnsFast",
    minutes: 70,
    fires: { [http("bucket", "0.5")]: growing(85), [http("count")]: growing(100) },
    quiet: { [http("bucket", "0.5")]: growing(86), [http("count")]: growing(100) },
  },
  {
    alert: "LatencyBudgetBurnsSlowly",
    minutes: longest,
    fires: { [http("bucket", "0.5")]: growing(93), [http("count")]: growing(100) },
    quiet: { [http("bucket", "0.5")]: growing(95), [http("count")]: growing(100) },
  },
  {
    alert: "ErrorsAboveOnePercent",
    fires: { [rpc("OK")]: growing(98.9), [rpc("INTERNAL")]: growing(1.1) },
    quiet: { [rpc("OK")]: growing(99.1), [rpc("INTERNAL")]: growing(0.9), [rpc("NOT_FOUND")]: growing(50) },
  },
  {
    alert: "ResponseAbove500ms",
    fires: { [rpcBucket("0.5")]: growing(94), [rpcBucket("1")]: growing(100), [rpcBucket("+Inf")]: growing(100) },
    quiet: { [rpcBucket("0.5")]: growing(96), [rpcBucket("1")]: growing(100), [rpcBucket("+Inf")]: growing(100) },
  },
  {
    alert: "TargetDown",
    fires: { 'up{service="task",instance="task-1"}': steady(0) },
    quiet: { 'up{service="task",instance="task-1"}': steady(1) },
  },
  {
    alert: "NoHealthyInstance",
    fires: { 'envoy_cluster_membership_healthy{envoy_cluster_name="task"}': steady(0) },
    quiet: { 'envoy_cluster_membership_healthy{envoy_cluster_name="task"}': steady(1) },
  },
  {
    alert: "LimitsNotShared",
    fires: { 'taskmesh_limits_calls_total{taskmesh_limits_store="memory"}': growing(1) },
    quiet: { 'taskmesh_limits_calls_total{taskmesh_limits_store="redis"}': growing(1) },
  },
  {
    alert: "StolenRefreshToken",
    fires: { taskmesh_auth_token_reuse_total: growing(0.1) },
    quiet: { taskmesh_auth_token_reuse_total: steady(3) },
  },
  {
    alert: "ProcessCpuHigh",
    fires: { 'process_cpu_time_total{instance="task-1"}': growing(0.71) },
    quiet: { 'process_cpu_time_total{instance="task-1"}': growing(0.69) },
  },
  {
    alert: "ProcessMemoryHigh",
    fires: { v8js_memory_heap_used: steady(81), v8js_memory_heap_limit: steady(100) },
    quiet: { v8js_memory_heap_used: steady(79), v8js_memory_heap_limit: steady(100) },
  },
  {
    alert: "EventLoopLate",
    fires: { nodejs_eventloop_delay_p99: steady(0.11) },
    quiet: { nodejs_eventloop_delay_p99: steady(0.09) },
  },
  {
    alert: "CallsShed",
    fires: { 'taskmesh_overload_shed_calls_total{service="task",taskmesh_priority="read"}': growing(1.1) },
    quiet: { 'taskmesh_overload_shed_calls_total{service="task",taskmesh_priority="read"}': growing(0.9) },
  },
  {
    alert: "TelemetryDropped",
    fires: { [spans]: growing(1) },
    quiet: { [spans.replace("queue_full", "")]: growing(100) },
  },
  {
    alert: "PoolExhausted",
    fires: { 'db_client_connection_pending_requests{instance="task-1"}': steady(1) },
    quiet: { 'db_client_connection_pending_requests{instance="task-1"}': steady(0) },
  },
  {
    alert: "DatabaseSlow",
    fires: { [dbBucket("0.1")]: growing(90), [dbBucket("1")]: growing(100), [dbBucket("+Inf")]: growing(100) },
    quiet: { [dbBucket("0.1")]: growing(96), [dbBucket("1")]: growing(100), [dbBucket("+Inf")]: growing(100) },
  },
  {
    alert: "QueryAbove30s",
    fires: { [tx("active")]: steady(31) },
    quiet: { [tx("active")]: steady(29), [tx("idle")]: steady(100) },
  },
  {
    alert: "TransactionLeftOpen",
    fires: { [tx("idle in transaction")]: steady(31) },
    quiet: { [tx("idle in transaction")]: steady(5) },
  },
  {
    alert: "ConnectionsNearLimit",
    fires: { pg_stat_activity_count: steady(161), pg_settings_max_connections: steady(200) },
    quiet: { pg_stat_activity_count: steady(159), pg_settings_max_connections: steady(200) },
  },
  {
    alert: "PostgresCpuHigh",
    fires: { 'namedprocess_namegroup_cpu_seconds_total{groupname="postgres"}': growing(0.71) },
    quiet: { 'namedprocess_namegroup_cpu_seconds_total{groupname="postgres"}': growing(0.69) },
  },
  {
    alert: "DiskSlow",
    fires: {
      'pg_stat_io_wait_seconds_total{operation="read"}': growing(0.5),
      'pg_stat_io_wait_seconds_total{operation="fsync"}': growing(0.21),
    },
    quiet: {
      'pg_stat_io_wait_seconds_total{operation="read"}': growing(0.5),
      'pg_stat_io_wait_seconds_total{operation="fsync"}': growing(0.19),
    },
  },
  { alert: "ReplicaAway", fires: { pg_replica_up: steady(0) }, quiet: { pg_replica_up: steady(1) } },
  {
    alert: "ReplicaBehind",
    fires: { pg_replication_lag_seconds: steady(11) },
    quiet: { pg_replication_lag_seconds: steady(9) },
  },
  {
    alert: "ReplicaHoldsLog",
    fires: { pg_replication_slots_pg_wal_lsn_diff: steady(193 * 2 ** 20) },
    quiet: { pg_replication_slots_pg_wal_lsn_diff: steady(191 * 2 ** 20) },
  },
  {
    alert: "StorageNearlyFull",
    fires: { node_filesystem_avail_bytes: steady(19), node_filesystem_size_bytes: steady(100) },
    quiet: { node_filesystem_avail_bytes: steady(21), node_filesystem_size_bytes: steady(100) },
  },
  { alert: "PartAway", fires: { redis_up: steady(0) }, quiet: { redis_up: steady(1), pg_up: steady(1) } },
  {
    alert: "RedisMemoryHigh",
    fires: { redis_memory_used_bytes: steady(401 * 2 ** 20), redis_memory_max_bytes: steady(0) },
    quiet: { redis_memory_used_bytes: steady(399 * 2 ** 20), redis_memory_max_bytes: steady(512 * 2 ** 20) },
  },
  {
    alert: "RedisCpuHigh",
    fires: { redis_cpu_user_seconds_total: growing(0.5), redis_cpu_sys_seconds_total: growing(0.31) },
    quiet: { redis_cpu_user_seconds_total: growing(0.5), redis_cpu_sys_seconds_total: growing(0.29) },
  },
  {
    alert: "RedisEvicts",
    fires: { redis_evicted_keys_total: growing(0.1) },
    quiet: { redis_evicted_keys_total: steady(7) },
  },
  {
    alert: "RedisNetworkBusy",
    fires: { redis_net_input_bytes_total: growing(3e7), redis_net_output_bytes_total: growing(3e7) },
    quiet: { redis_net_input_bytes_total: growing(2e7), redis_net_output_bytes_total: growing(2e7) },
  },
  {
    alert: "OutboxLate",
    fires: { 'taskmesh_outbox_lag{service="task"}': steady(2.1) },
    quiet: { 'taskmesh_outbox_lag{service="task"}': steady(1.9) },
  },
  {
    alert: "NoActiveRelay",
    fires: { 'taskmesh_outbox_leader{service="task"}': steady(0) },
    quiet: { 'taskmesh_outbox_leader{service="task"}': steady(1) },
  },
  {
    alert: "RemindersLate",
    fires: { taskmesh_scheduler_lag: steady(31) },
    quiet: { taskmesh_scheduler_lag: steady(29) },
  },
  {
    alert: "NobodyReminds",
    fires: { taskmesh_scheduler_leader: steady(0) },
    quiet: { taskmesh_scheduler_leader: steady(1) },
  },
  { alert: "LagAbove100", fires: { [consumer("lag")]: steady(101) }, quiet: { [consumer("lag")]: steady(99) } },
  {
    alert: "LagWithoutProgress",
    fires: { [consumer("lag")]: steady(1), [consumer("offset")]: steady(7) },
    quiet: { [consumer("lag")]: steady(1), [consumer("offset")]: growing(1) },
  },
  {
    alert: "LagWithoutOwner",
    fires: {
      'kafka_consumergroup_lag{consumergroup="email"}': steady(3),
      'kafka_consumergroup_members{consumergroup="email"}': steady(0),
    },
    quiet: {
      'kafka_consumergroup_lag{consumergroup="email"}': steady(3),
      'kafka_consumergroup_members{consumergroup="email"}': steady(1),
    },
  },
  {
    alert: "DeadLetters",
    fires: { 'taskmesh_event_dead_letters_waiting{messaging_consumer_group_name="email"}': steady(1) },
    quiet: { 'taskmesh_event_dead_letters_waiting{messaging_consumer_group_name="email"}': steady(0) },
  },
  {
    alert: "DeliveriesFail",
    fires: {
      'taskmesh_notification_deliveries_total{taskmesh_channel="email",taskmesh_outcome="failed"}': growing(0.1),
    },
    quiet: { 'taskmesh_notification_deliveries_total{taskmesh_channel="email",taskmesh_outcome="sent"}': growing(5) },
  },
];

/** Cases that last as long and look at different metrics are computed together: each run of the rules costs. */
function together(cases: readonly AlertCase[]): AlertCase[][] {
  const groups: { cases: AlertCase[]; metrics: Set<string>; minutes: number }[] = [];
  for (const one of cases) {
    const metrics = new Set(
      Object.keys({ ...one.fires, ...one.quiet }).map((series) => series.split("{")[0] as string),
    );
    const minutes = one.minutes ?? usual;
    const fit = groups.find((group) => group.minutes === minutes && group.metrics.isDisjointFrom(metrics));
    if (fit === undefined) groups.push({ cases: [one], metrics, minutes });
    else {
      fit.cases.push(one);
      fit.metrics = fit.metrics.union(metrics);
    }
  }
  return groups.map((group) => group.cases);
}

/** A file for `promtool test rules`: all cases above their thresholds, and all below. */
export function ruleTests(rulesFolder: string, cases = alertCases): string {
  const tests = together(cases).flatMap((group) =>
    (["fires", "quiet"] as const).map((side) => ({
      name: group.map(({ alert }) => `${alert} ${side}`).join(", "),
      interval: "1m",
      input_series: group.flatMap((one) => Object.entries(one[side]).map(([series, values]) => ({ series, values }))),
      promql_expr_test: group.map(({ alert, minutes = usual }) => ({
        expr: `count(ALERTS{alertname="${alert}",alertstate="firing"}) or vector(0)`,
        eval_time: `${minutes}m`,
        exp_samples: [{ labels: "{}", value: side === "fires" ? 1 : 0 }],
      })),
    })),
  );
  const rule_files = ["alerts.yml", "recording.yml"].map((file) => `${rulesFolder}/${file}`);
  return JSON.stringify({ rule_files, evaluation_interval: "1m", tests });
}
