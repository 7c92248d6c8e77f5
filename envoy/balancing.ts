import type { Json } from "./json.ts";

/** How calls are dealt out among the healthy instances of a cluster. */
export const lbPolicies = ["LEAST_REQUEST", "ROUND_ROBIN", "IP_HASH"] as const;
export type LbPolicy = (typeof lbPolicies)[number];

const leastRequest: Json = {
  choice_count: 2,
  // While instances have different weights, the weights alone decide, to the call: a release counts on its share. By
  // default calls under way would be weighed in as well.
  active_request_bias: { default_value: 0, runtime_key: "taskmesh.active_request_bias" },
};

/** What a cluster says of the policy. */
export function balancing(policy: LbPolicy): Json {
  if (policy === "LEAST_REQUEST") return { lb_policy: policy, least_request_lb_config: leastRequest };
  // A table by which a caller keeps its instance, and only those of an instance that has gone get another.
  return { lb_policy: policy === "IP_HASH" ? "MAGLEV" : policy };
}

/** From outside the address of the client counts: that of the connection, or what a trusted proxy says it is. */
const byClient: Json[] = [{ connection_properties: { source_ip: true } }];
/** Within the mesh the gateway says for whom it calls; other callers count themselves. */
const byClientOfGateway: Json[] = [{ header: { header_name: "x-client-ip" }, terminal: true }, ...byClient];

/** The routes of a listener with what a caller is told by, where the policy is about that. */
export function withHashing(policy: LbPolicy, listener: "edge" | "mesh", routes: readonly Json[]): readonly Json[] {
  if (policy !== "IP_HASH") return routes;
  const hash = listener === "edge" ? byClient : byClientOfGateway;
  return routes.map((route) =>
    route.route === undefined ? route : { ...route, route: { ...(route.route as Json), hash_policy: hash } },
  );
}
