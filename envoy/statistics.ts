import { extension, type Json, socketAddress, typed } from "./json.ts";
import type { Settings } from "./options.ts";

/** What of the admin page others may read; it could also stop Envoy, so nothing else of it is passed on. */
const readable = ["/stats/prometheus", "/ready"];
const clusterName = "admin";

/** A listener with Envoy's own numbers, for a Prometheus that runs in another container; none without a port for it. */
export function statisticsListeners(settings: Settings): Json[] {
  if (settings.statisticsPort === undefined) return [];
  const manager = typed("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager", {
    stat_prefix: "statistics",
    route_config: {
      name: "statistics",
      virtual_hosts: [
        {
          name: "all",
          domains: ["*"],
          routes: readable.map((path) => ({ match: { path }, route: { cluster: clusterName } })),
        },
      ],
    },
    http_filters: [extension("envoy.filters.http.router", "envoy.extensions.filters.http.router.v3.Router")],
  });
  return [
    {
      name: "statistics",
      address: socketAddress(settings.host, settings.statisticsPort),
      filter_chains: [{ filters: [{ name: "envoy.filters.network.http_connection_manager", typed_config: manager }] }],
    },
  ];
}

/** The admin page, as a cluster. */
export function statisticsClusters(settings: Settings): Json[] {
  if (settings.statisticsPort === undefined) return [];
  const endpoint = { address: socketAddress("127.0.0.1", settings.adminPort) };
  return [
    {
      name: clusterName,
      type: "STATIC",
      load_assignment: { cluster_name: clusterName, endpoints: [{ lb_endpoints: [{ endpoint }] }] },
    },
  ];
}
