import { duration, extension, type Json } from "./json.ts";

/** Two tries at most, so that retries of several hops cannot multiply. */
const common: Json = {
  num_retries: 1,
  retry_back_off: { base_interval: "0.025s", max_interval: "0.25s" },
  // The second try goes to another instance than the first. Hosts are drawn at random: with two of them, three draws
  // would hit the first one again in one case of eight.
  retry_host_predicate: [
    extension(
      "envoy.retry_host_predicates.previous_hosts",
      "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
    ),
  ],
  host_selection_retry_max_attempts: 16,
};

/** The request never reached a service: safe for every call, also for one that would create something. */
const neverReached = "connect-failure,refused-stream,reset-before-request";

export const connectionRetries: Json = { ...common, retry_on: neverReached };

/**
 * At the edge, for calls that may run twice. Not `unavailable`: the mesh listener has tried that again already, and two
 * layers of it would be four tries.
 */
export const idempotentEdgeRetries: Json = { ...common, retry_on: `${neverReached},reset` };

/**
 * In the mesh, for reads: when the first try has had its share of the time, the second one goes out beside it, and what is
 * answered first counts. The budgets are those of retries. A change is never under way twice.
 */
export const hedgedReads: Json = { hedge_on_per_try_timeout: true };

/** In the mesh, for calls that may run twice: a try has 40 % of the time, so that a second one fits in. */
export function idempotentRetries(timeout: number): Json {
  return {
    ...common,
    retry_on: `${neverReached},reset,unavailable`,
    per_try_timeout: duration(Math.round(timeout * 0.4)),
  };
}
