import { edgeLog } from "./access-log.ts";
import { withHashing } from "./balancing.ts";
import type { ClusterName } from "./clusters.ts";
import { connectionFilters, connectionLog, longestConnection } from "./connections.ts";
import { duration, extension, type Json, socketAddress } from "./json.ts";
import { rateFilters } from "./limits.ts";
import type { Settings } from "./options.ts";
import { isGrpc, localReplies } from "./problem.ts";
import { connectionRetries, idempotentEdgeRetries } from "./retries.ts";
import { pathRegex, type Rpc } from "./rpcs.ts";
import { throttle, throttled } from "./throttle.ts";
import { tlsTransport } from "./tls.ts";
import { tracing } from "./tracing.ts";

const kibibyte = 1024;
const unaryTimeout = 10_000;
/** How much longer than the service the edge waits at least, so that the innermost one reports the timeout. */
const timeoutMargin = 2000;
/** How long a stream may be silent that only changes make speak, as that of gRPC health. */
const streamIdle = "3600s";
/** Streams of ours say something each minute at least: one that moves nothing for longer has a reader that is stuck. */
const liveIdle = "120s";

/** The public listeners: HTTP/1.1 and HTTP/2 on one port, and the same with TLS on another when there is a certificate. */
export function edgeListeners(settings: Settings, rpcs: Rpc[]): Json[] {
  const listeners = [listener(settings, rpcs, { name: "edge", port: settings.edgePort })];
  if (settings.tls && settings.edgeTlsPort !== undefined) {
    const transport = tlsTransport(settings);
    listeners.push(listener(settings, rpcs, { name: "edge_tls", port: settings.edgeTlsPort, transport }));
  }
  return listeners;
}

interface Face {
  name: string;
  port: number;
  transport?: Json;
}

function listener(settings: Settings, rpcs: Rpc[], { name, port, transport }: Face): Json {
  return {
    name,
    address: socketAddress(settings.host, port),
    // What a slow or hostile peer can make Envoy hold, per connection.
    per_connection_buffer_limit_bytes: 32 * kibibyte,
    // A reader that does not take 16 KiB in a minute only holds memory.
    per_connection_buffer_high_watermark_timeout: "60s",
    ...connectionLog(settings),
    filter_chains: [
      {
        ...(transport ? { transport_socket: transport } : {}),
        // A TLS handshake that does not come to its end.
        transport_socket_connect_timeout: "10s",
        filters: [
          ...connectionFilters(settings),
          extension(
            "envoy.filters.network.http_connection_manager",
            "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            connectionManager(settings, rpcs, name),
          ),
        ],
      },
    ],
  };
}

function connectionManager(settings: Settings, rpcs: Rpc[], name: string): Json {
  return {
    stat_prefix: name,
    codec_type: "AUTO",
    ...trust(settings),
    ...paths,
    ...limits,
    ...tracing(settings, "envoy-edge"),
    generate_request_id: true,
    // The id of the log line is in the answer, so that a user's report can be found.
    always_set_request_id_in_response: true,
    server_name: "taskmesh",
    server_header_transformation: "OVERWRITE",
    access_log: edgeLog(rpcs),
    local_reply_config: localReplies(),
    // Off but for the streams.
    upgrade_configs: [{ upgrade_type: "websocket", enabled: false }],
    route_config: {
      name: "edge",
      // Envoy's own, and only what x-real-ip says already.
      request_headers_to_remove: ["x-envoy-external-address"],
      // What an instance that is about to stop tells this Envoy.
      response_headers_to_remove: ["x-envoy-immediate-health-check-fail"],
      request_headers_to_add: [{ header: { key: "x-real-ip", value: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%" } }],
      virtual_hosts: [
        { name: "all", domains: ["*"], routes: withHashing(settings.lbPolicy, "edge", edgeRoutes(rpcs)) },
      ],
    },
    http_filters: [
      ...rateFilters(settings, rpcs),
      ...throttle(settings),
      extension("envoy.filters.http.router", "envoy.extensions.filters.http.router.v3.Router", {
        // No x-envoy-* in answers: they tell of the inside.
        suppress_envoy_headers: true,
      }),
    ],
  };
}

/** Headers that say who calls: from outside they are lies. Taken out before anything reads them, Envoy included. */
export const forgeableHeaders = [
  "x-user-id",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-forwarded-prefix",
  "x-forwarded-client-cert",
  "x-real-ip",
  "x-original-url",
  "x-rewrite-url",
  "forwarded",
];
/** What a stranger hands along with its trace would travel as far as Kafka. */
const wordsOfStrangers = ["tracestate", "baggage"];
export const forgeablePrefixes = ["x-mesh-", "x-envoy-", "x-taskmesh-"];

function trust({ trustedProxies }: Settings): Json {
  const names = trustedProxies > 0 ? forgeableHeaders : [...forgeableHeaders, "x-forwarded-for", "x-forwarded-proto"];
  return {
    // The caller's address is that of the connection; x-forwarded-for and -proto are written from it.
    use_remote_address: true,
    xff_num_trusted_hops: trustedProxies,
    // Nobody is inside at this listener (a range without peers); by default private addresses may choose their request
    // id, and steer timeouts and retries.
    internal_address_config: { cidr_ranges: [{ address_prefix: "0.0.0.0", prefix_len: 32 }] },
    early_header_mutation_extensions: [
      extension(
        "envoy.http.early_header_mutation.header_mutation",
        "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
        {
          mutations: [
            ...[...names, ...wordsOfStrangers].map((header) => ({ remove: header })),
            ...forgeablePrefixes.map((prefix) => ({ remove_on_match: { key_matcher: { prefix } } })),
          ],
        },
      ),
    ],
  };
}

const paths: Json = {
  // One spelling for each path, so that a rule about a path cannot be walked around.
  normalize_path: true,
  merge_slashes: true,
  // %2F and %5C in a path: no route of ours has them, so they are refused.
  path_with_escaped_slashes_action: "REJECT_REQUEST",
};

const limits: Json = {
  // Slowloris: headers have 10 s, the whole request 30 s, and a stream that says nothing 5 min.
  request_headers_timeout: "10s",
  request_timeout: "30s",
  stream_idle_timeout: "300s",
  // After GOAWAY or Connection: close, clients have this long to go.
  drain_timeout: "5s",
  delayed_close_timeout: "1s",
  max_request_headers_kb: 32,
  common_http_protocol_options: {
    // Longer than the think time of a person between two clicks, so that a connection is worth keeping.
    idle_timeout: "900s",
    // Then it takes no new requests; those under way go on. Connections spread anew over what there is by then.
    max_connection_duration: duration(longestConnection),
    max_headers_count: 100,
    // x_user_id would be x-user-id to many a framework.
    headers_with_underscores_action: "REJECT_REQUEST",
  },
  http2_protocol_options: {
    // What one connection can have under way, and make Envoy hold: 64 KiB a stream, 1 MiB in all.
    max_concurrent_streams: 100,
    initial_stream_window_size: 64 * kibibyte,
    initial_connection_window_size: kibibyte * kibibyte,
    connection_keepalive: { interval: "60s", timeout: "20s" },
  },
};

/** Default deny for RPCs: those that are public are named, anything else of that shape is not found. */
function edgeRoutes(rpcs: Rpc[]): Json[] {
  const open = rpcs.filter((rpc) => rpc.public);
  return [
    { name: "host", match: { prefix: "/", headers: [isOddAuthority] }, direct_response: { status: 400 } },
    ...open.flatMap(rpcRoutes),
    ...openServices.map((service) => ({
      name: service,
      match: { prefix: `/${service}/`, headers: [isGrpc] },
      route: streamTo("gateway_grpc"),
    })),
    { name: "unknown", match: { prefix: "/", headers: [isGrpc] }, direct_response: { status: 404 } },
    { name: "unknown", match: { safe_regex: { regex: "/(\\w+\\.)+\\w+/.*" } }, direct_response: { status: 404 } },
    ...open.flatMap(ownRestRoutes),
    { ...throttled("read"), ...httpRoute("/v1/", true) },
    { ...throttled("write"), ...httpRoute("/v1/", false) },
    httpRoute("/", true),
    httpRoute("/", false),
  ];
}

/** What has no route of its own: by REST, and the gateway's pages. */
function httpRoute(prefix: string, isSafe: boolean): Json {
  const headers = isSafe ? { headers: [isSafeMethod] } : {};
  const route = unaryTo("gateway_http", isSafe ? idempotentEdgeRetries : connectionRetries);
  return { name: "http", match: { prefix, ...headers }, route };
}

/** What every gRPC client may ask any server. */
const openServices = [
  "grpc.health.v1.Health",
  "grpc.reflection.v1.ServerReflection",
  "grpc.reflection.v1alpha.ServerReflection",
];

/** A user, a list (which two Host lines become) or a path in the place of the host: nobody honest sends these. */
const isOddAuthority: Json = {
  name: ":authority",
  string_match: { safe_regex: { regex: "[A-Za-z0-9._-]+(:[0-9]+)?|\\[[0-9A-Fa-f:.]+\\](:[0-9]+)?" } },
  invert_match: true,
};

const isSafeMethod: Json = { name: ":method", string_match: { safe_regex: { regex: "GET|HEAD|OPTIONS" } } };

/** An RPC has two routes: gRPC in all its spellings, and Connect. */
function rpcRoutes(rpc: Rpc): Json[] {
  const name = rpc.path.slice(1);
  return [
    {
      name,
      match: { path: rpc.path, headers: [isGrpc] },
      ...throttled(rpc.priority),
      route: routeOf(rpc, "gateway_grpc"),
    },
    { name, match: { path: rpc.path }, ...throttled(rpc.priority), route: routeOf(rpc, "gateway_http") },
  ];
}

/**
 * REST paths of calls that may take longer than others, streams first of all, or whose priority is not what the method
 * says; all the rest share one route.
 */
function ownRestRoutes(rpc: Rpc): Json[] {
  const isSlow = rpc.streaming || edgeTimeout(rpc) > unaryTimeout;
  const route = { ...routeOf(rpc, "gateway_http"), ...(rpc.streaming ? { upgrade_configs: [webSocket] } : {}) };
  return rpc.rest.flatMap(({ method, template }) => {
    if (!isSlow && rpc.priority === (method === "GET" ? "read" : "write")) return [];
    const headers = [{ name: ":method", string_match: { exact: method } }];
    const match = { safe_regex: { regex: pathRegex(template) }, headers };
    return [{ name: template, match, ...throttled(rpc.priority), route }];
  });
}

const webSocket: Json = { upgrade_type: "websocket", enabled: true };

function routeOf(rpc: Rpc, cluster: ClusterName): Json {
  if (rpc.streaming) return streamTo(cluster, liveIdle);
  const route = unaryTo(cluster, rpc.idempotent ? idempotentEdgeRetries : connectionRetries, edgeTimeout(rpc));
  return cluster === "gateway_grpc" ? bySilence(route) : route;
}

function edgeTimeout(rpc: Rpc): number {
  return Math.max(unaryTimeout, rpc.timeout + timeoutMargin);
}

function unaryTo(cluster: ClusterName, retryPolicy: Json, timeout = unaryTimeout): Json {
  return {
    cluster,
    timeout: duration(timeout),
    max_stream_duration: { max_stream_duration: duration(timeout) },
    retry_policy: retryPolicy,
  };
}

/**
 * The gateway alone keeps a caller's grpc-timeout: it answers each protocol in its own words, while Envoy would end
 * gRPC-Web with HTTP status 504, or break an answer off. Any limit of the route's own would take the caller's place in
 * what the gateway sees, so what ends a call that hangs is its silence.
 */
function bySilence({ timeout, ...route }: Json): Json {
  return { ...route, timeout: "0s", idle_timeout: timeout, max_stream_duration: { max_stream_duration: "0s" } };
}

/** A stream lasts as long as both sides wish. */
function streamTo(cluster: ClusterName, idle = streamIdle): Json {
  return {
    cluster,
    timeout: "0s",
    idle_timeout: idle,
    max_stream_duration: { max_stream_duration: "0s" },
    retry_policy: connectionRetries,
  };
}
