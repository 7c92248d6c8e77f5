import { extension, type Json, typed } from "./json.ts";

const filter = "envoy.filters.http.fault";
const message = "envoy.extensions.filters.http.fault.v3.HTTPFault";
const never: Json = { numerator: 0, denominator: "HUNDRED" };
const unavailable = 14;

/** The runtime keys by which Envoy aborts or delays calls of one RPC, named as "task.v1.TaskService/CreateTask". */
export function faultKeys(rpc: string) {
  const prefix = `fault.${rpc.replace("/", ".")}`;
  return {
    /** Percent of the calls, 0 to 100. */
    abortPercent: `${prefix}.abort_percent`,
    /** A status code of gRPC. */
    abortStatus: `${prefix}.abort_status`,
    delayPercent: `${prefix}.delay_percent`,
    delayMs: `${prefix}.delay_ms`,
  };
}

/** The filter that aborts and delays calls; it stands before the router, so that what it aborts is not tried again. */
export const faultFilter: Json = extension(filter, message);

/** The routes with a fault each, which does nothing until its runtime keys say otherwise. */
export function withFaults(routes: readonly Json[]): Json[] {
  return routes.map((route) => {
    const rpc = (route.match as { path?: string }).path?.slice(1);
    if (rpc === undefined) return route;
    const keys = faultKeys(rpc);
    const fault = {
      abort: { grpc_status: unavailable, percentage: never },
      abort_percent_runtime: keys.abortPercent,
      abort_grpc_status_runtime: keys.abortStatus,
      delay: { fixed_delay: "1s", percentage: never },
      delay_percent_runtime: keys.delayPercent,
      delay_duration_runtime: keys.delayMs,
    };
    return { ...route, typed_per_filter_config: { [filter]: typed(message, fault) } };
  });
}

/** The runtime with a last layer that the admin page may change. */
export function changeableRuntime(runtime: Json): Json {
  return { layers: [...(runtime.layers as Json[]), { name: "faults", admin_layer: {} }] };
}
