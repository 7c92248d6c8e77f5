import { balancing } from "./balancing.ts";
import { endpointsFile, loadAssignment } from "./endpoints.ts";
import { duration, extension, type Json, typed } from "./json.ts";
import { type Endpoint, type HealthPolicy, type ServiceName, type Settings, serviceNames } from "./options.ts";

export type ClusterName = "gateway_http" | "gateway_grpc" | ServiceName;

const kibibyte = 1024;

/** Every cluster: the gateway by both protocols, each service, and the trace collector when there is one. */
export function clusters(settings: Settings): Json[] {
  const gatewayHealth = httpHealthCheck(settings.health);
  return [
    cluster(settings, "gateway_http", {
      endpoints: settings.gatewayHttp,
      protocol: http1(),
      health: gatewayHealth,
      buffer: edgeBuffer,
    }),
    cluster(settings, "gateway_grpc", {
      endpoints: settings.gatewayGrpc,
      protocol: http2(edgeWindows),
      health: gatewayHealth,
      buffer: edgeBuffer,
    }),
    ...serviceNames.map((name) =>
      cluster(settings, name, {
        endpoints: settings.services[name],
        protocol: http2(),
        health: grpcHealthCheck(settings.health),
      }),
    ),
    ...(settings.otlp ? [collectorCluster(settings.otlp)] : []),
  ];
}

interface Upstream {
  endpoints: Endpoint[];
  protocol: Json;
  health: Json;
  /** What Envoy holds for each connection, in bytes, before it stops reading. */
  buffer?: number;
}

/** What strangers read slowly is held for them: little of each answer. */
const edgeBuffer = 32 * kibibyte;
/** A stream that nobody reads keeps its share of the connection: thousands of them must not use it up for the others. */
const edgeWindows = { stream: 64 * kibibyte, connection: 256 * kibibyte * kibibyte };
/** One slow stream must not stop the others of its connection. */
const meshWindows = { stream: kibibyte * kibibyte, connection: 16 * kibibyte * kibibyte };

function cluster(settings: Settings, name: ClusterName, { endpoints, protocol, health, buffer }: Upstream): Json {
  return {
    name,
    ...discovery(settings, name, endpoints),
    // A connection on one machine or in one network is made in milliseconds; a host that takes longer is away.
    connect_timeout: "1s",
    ...balancing(settings.lbPolicy),
    common_lb_config: {
      // Off: by default Envoy sends traffic to hosts that it knows to be down once half of them are.
      healthy_panic_threshold: { value: 0 },
      // Who is healthy counts from now, not from up to a second later, when changes have been gathered.
      update_merge_window: "0s",
    },
    health_checks: [health],
    // A host that has been taken away gets no new calls, though its health may still be good.
    ignore_health_on_host_removal: true,
    outlier_detection: outlierDetection,
    circuit_breakers: circuitBreakers,
    per_connection_buffer_limit_bytes: buffer ?? kibibyte * kibibyte,
    typed_extension_protocol_options: { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": protocol },
  };
}

function discovery(settings: Settings, name: ClusterName, endpoints: Endpoint[]): Json {
  if (settings.discovery === "dns") {
    return byName(name, endpoints);
  }
  return {
    type: "EDS",
    eds_cluster_config: {
      service_name: name,
      eds_config: {
        resource_api_version: "V3",
        path_config_source: { path: endpointsFile(settings.directory, name) },
      },
    },
  };
}

function byName(name: string, endpoints: Endpoint[]): Json {
  return {
    cluster_type: extension("envoy.clusters.dns", "envoy.extensions.clusters.dns.v3.DnsCluster", {
      // Every address of the name is an instance. A new one waits this long for its first call at most.
      dns_refresh_rate: "2s",
      dns_lookup_family: "V4_PREFERRED",
    }),
    load_assignment: loadAssignment(name, endpoints),
  };
}

function commonHealthCheck({ interval, unhealthyInterval, timeout, failures, passes }: HealthPolicy): Json {
  return {
    timeout: duration(timeout),
    interval: duration(interval),
    unhealthy_interval: duration(unhealthyInterval),
    // An idle cluster is checked as often as a busy one; by default it would be once a minute, and a service that has
    // just started would stay unknown for that long.
    no_traffic_interval: duration(interval),
    no_traffic_healthy_interval: duration(interval),
    unhealthy_threshold: failures,
    healthy_threshold: passes,
  };
}

function grpcHealthCheck(policy: HealthPolicy): Json {
  return { ...commonHealthCheck(policy), grpc_health_check: { service_name: "" } };
}

/** The gateway is asked on its HTTP/1.1 port for both of its clusters, so that they never disagree. */
function httpHealthCheck(policy: HealthPolicy): Json {
  return {
    ...commonHealthCheck(policy),
    http_health_check: { path: "/health/ready", host: "gateway", codec_client_type: "HTTP1" },
  };
}

const outlierDetection: Json = {
  interval: "2s",
  base_ejection_time: "2s",
  max_ejection_time: "30s",
  // Envoy's default is 10 %, which ejects nobody out of two or three.
  max_ejection_percent: 50,
  // 502, 503, 504 and their gRPC kin; the default enforces none of it.
  consecutive_gateway_failure: 3,
  enforcing_consecutive_gateway_failure: 100,
  // Any 5xx and its gRPC kin: an instance that answers INTERNAL to everything is broken too.
  consecutive_5xx: 5,
  // Failures to connect and resets are told apart from what the service answered.
  split_external_local_origin_errors: true,
  consecutive_local_origin_failure: 3,
  enforcing_consecutive_local_origin_failure: 100,
  // Compares hosts by statistics; with two or three of them there is nothing to compare.
  enforcing_success_rate: 0,
  enforcing_local_origin_success_rate: 0,
  // A broken instance may pass its health check, so that check does not end its time out.
  successful_active_health_check_uneject_host: false,
};

const circuitBreakers: Json = {
  thresholds: [
    {
      // The default of 1,024 for each answers 503 to ten thousand users who do no harm. Overload is the services' to
      // refuse, by what they can do; these bounds only keep Envoy's memory finite.
      max_connections: 20_000,
      max_pending_requests: 50_000,
      max_requests: 50_000,
      // At most a fifth more calls when everything fails, so that retries cannot make an outage worse: the share is of all
      // calls under way, retries among them, and 16 of 84 is 19 %. The calls that are about to go to an instance at the
      // moment of its end come at once: there is always room for these.
      retry_budget: { budget_percent: { value: 16 }, min_retry_concurrency: 25 },
    },
  ],
};

function http1(): Json {
  return typed("envoy.extensions.upstreams.http.v3.HttpProtocolOptions", {
    explicit_http_config: { http_protocol_options: {} },
    // Much shorter than the hour after which the gateway closes an idle connection: a request never meets a closing one.
    common_http_protocol_options: { idle_timeout: "30s" },
  });
}

function http2({ stream, connection } = meshWindows): Json {
  return typed("envoy.extensions.upstreams.http.v3.HttpProtocolOptions", {
    explicit_http_config: {
      http2_protocol_options: {
        initial_stream_window_size: stream,
        initial_connection_window_size: connection,
        // Finds a peer that has gone without a word. A server that ends connections by age says GOAWAY: streams under
        // way finish, new ones go to a new connection.
        connection_keepalive: { interval: "10s", timeout: "5s" },
      },
    },
    common_http_protocol_options: { idle_timeout: "300s" },
  });
}

/** Where spans go. It may be away: nothing waits for it, and its outages eject nobody. */
function collectorCluster(collector: Endpoint): Json {
  return {
    name: "otlp",
    ...byName("otlp", [collector]),
    connect_timeout: "1s",
    typed_extension_protocol_options: { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2() },
  };
}
