import { duration, extension, type Json, typed } from "./json.ts";
import type { Settings } from "./options.ts";

/** How long a connection may live; then it takes no new requests. */
export const longestConnection = 1_800_000;
const gateway: Json = { envoy_grpc: { cluster_name: "gateway_grpc" } };

/**
 * Before a byte of a new connection is read, the gateway says whether its address has too many already. Envoy itself
 * only counts all connections, or those of a listener. Whenever no answer comes in time, the connection is let in.
 */
export function connectionFilters({ trustedProxies }: Settings): Json[] {
  // Behind a proxy of ours, every connection is that proxy's: it has to count.
  if (trustedProxies > 0) return [];
  const descriptor = {
    entries: [
      { key: "client", value: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%" },
      { key: "connection", value: "%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS%" },
    ],
  };
  return [
    extension("envoy.filters.network.ratelimit", "envoy.extensions.filters.network.ratelimit.v3.RateLimit", {
      stat_prefix: "connections",
      domain: "connections",
      descriptors: [descriptor],
      // A gateway that is away is known to be: this is for one that is busy.
      timeout: "0.25s",
      failure_mode_deny: false,
      rate_limit_service: { transport_api_version: "V3", grpc_service: gateway },
    }),
  ];
}

/** Tells the gateway of each connection that has ended. */
export function connectionLog({ trustedProxies }: Settings): Json {
  if (trustedProxies > 0) return {};
  return {
    access_log: [
      {
        name: "envoy.access_loggers.tcp_grpc",
        typed_config: typed("envoy.extensions.access_loggers.grpc.v3.TcpGrpcAccessLogConfig", {
          common_config: {
            log_name: "connections",
            transport_api_version: "V3",
            grpc_service: gateway,
            // A place is free again at once, and many ends at a time go together.
            buffer_flush_interval: duration(50),
          },
        }),
      },
    ],
  };
}
