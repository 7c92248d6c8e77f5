import { retriesHeader } from "#kit/grpc/retry-ledger.ts";
import { meshLog } from "./access-log.ts";
import { withHashing } from "./balancing.ts";
import { faultFilter, withFaults } from "./faults.ts";
import { duration, extension, type Json, socketAddress } from "./json.ts";
import { type ServiceName, type Settings, serviceNames } from "./options.ts";
import { connectionRetries, hedgedReads, idempotentRetries } from "./retries.ts";
import { descriptors, type Rpc } from "./rpcs.ts";
import { tracing } from "./tracing.ts";

const kibibyte = 1024;
/** The service reports its timeout itself; Envoy steps in this much later, for one that no longer can. */
const timeoutMargin = 200;

/** The listener for the mesh's own calls: HTTP/2 without TLS, reachable by the mesh only. */
export function meshListener(settings: Settings, rpcs: Rpc[]): Json {
  return {
    name: "mesh",
    address: socketAddress(settings.host, settings.meshPort),
    per_connection_buffer_limit_bytes: kibibyte * kibibyte,
    // Callers hold few, long connections: with more than one worker they are dealt out evenly.
    connection_balance_config: { exact_balance: {} },
    filter_chains: [
      {
        filters: [
          extension(
            "envoy.filters.network.http_connection_manager",
            "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            connectionManager(settings, rpcs),
          ),
        ],
      },
    ],
  };
}

function connectionManager(settings: Settings, rpcs: Rpc[]): Json {
  const routes = withHashing(settings.lbPolicy, "mesh", meshRoutes(rpcs));
  return {
    stat_prefix: "mesh",
    codec_type: "HTTP2",
    // Made at the edge and carried along.
    generate_request_id: false,
    skip_xff_append: true,
    ...tracing(settings, "envoy-mesh"),
    stream_idle_timeout: "300s",
    drain_timeout: "5s",
    common_http_protocol_options: { idle_timeout: "3600s", headers_with_underscores_action: "REJECT_REQUEST" },
    http2_protocol_options: {
      // Callers are ours and each has one or two connections: the services say how much they take, not this.
      max_concurrent_streams: 10_000,
      initial_stream_window_size: kibibyte * kibibyte,
      initial_connection_window_size: 16 * kibibyte * kibibyte,
      connection_keepalive: { interval: "10s", timeout: "5s" },
    },
    access_log: meshLog(),
    route_config: {
      name: "mesh",
      virtual_hosts: [
        {
          name: "all",
          domains: ["*"],
          // A service sees which try it is.
          include_request_attempt_count: true,
          routes: settings.faults ? withFaults(routes) : routes,
        },
      ],
    },
    http_filters: [
      ...(settings.faults ? [faultFilter] : []),
      extension("envoy.filters.http.router", "envoy.extensions.filters.http.router.v3.Router", {
        suppress_envoy_headers: true,
      }),
    ],
  };
}

/** A route for each RPC with its own timeout and retries, then one for each service: an RPC that is newer than this. */
function meshRoutes(rpcs: Rpc[]): Json[] {
  return [
    ...rpcs.flatMap(rpcRoutes),
    ...serviceNames.map((name) => ({
      name: descriptors[name].typeName,
      match: { prefix: `/${descriptors[name].typeName}/` },
      route: unaryTo(name, 2000, connectionRetries),
    })),
    ...serviceNames.map(healthRoute),
  ];
}

/** grpc.health.v1 of one of the services, which the caller names by x-mesh-target. */
function healthRoute(name: ServiceName): Json {
  return {
    name: "grpc.health.v1.Health/Check",
    match: {
      path: "/grpc.health.v1.Health/Check",
      headers: [{ name: "x-mesh-target", string_match: { exact: name } }],
    },
    route: unaryTo(name, 1000, connectionRetries),
  };
}

/** An RPC that may be tried twice has a second route, for calls that have nothing left to spend on that. */
function rpcRoutes(rpc: Rpc): Json[] {
  const [name, path] = [rpc.path.slice(1), rpc.path];
  const route = { name, match: { path }, route: rpcRoute(rpc) };
  if (rpc.streaming || !rpc.idempotent) return [route];
  const spent = { name: retriesHeader, string_match: { exact: "0" } };
  return [{ name, match: { path, headers: [spent] }, route: rpcRoute({ ...rpc, idempotent: false }) }, route];
}

function rpcRoute(rpc: Rpc): Json {
  if (rpc.streaming) {
    return {
      cluster: rpc.cluster,
      timeout: "0s",
      idle_timeout: "3600s",
      max_stream_duration: { max_stream_duration: "0s", grpc_timeout_header_max: "0s" },
      retry_policy: connectionRetries,
    };
  }
  if (!rpc.idempotent) return unaryTo(rpc.cluster, rpc.timeout, connectionRetries);
  const route = unaryTo(rpc.cluster, rpc.timeout, idempotentRetries(rpc.timeout));
  return rpc.readOnly ? { ...route, hedge_policy: hedgedReads } : route;
}

function unaryTo(cluster: ServiceName, timeout: number, retryPolicy: Json): Json {
  const limit = duration(timeout + timeoutMargin);
  return {
    cluster,
    timeout: limit,
    // The caller's grpc-timeout holds where it is shorter.
    max_stream_duration: { max_stream_duration: limit, grpc_timeout_header_max: limit },
    retry_policy: retryPolicy,
  };
}
