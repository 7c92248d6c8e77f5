import { describeMetric, type MetricName } from "#observability/names.ts";
import type { Sample } from "../metrics/parse.ts";
import { bucketsOf, quantile } from "../metrics/quantile.ts";
import { total, type Where } from "../metrics/rates.ts";
import type { Flow } from "./picture.ts";

/** The name of one of our metrics on a page of metrics. */
export function seriesOf(metric: MetricName): string {
  const grows = /^(c|observedC)ounter$/.test(describeMetric(metric).kind);
  return `${metric.replaceAll(".", "_")}${grows ? "_total" : ""}`;
}

/** Statuses of gRPC that are faults of the server (OpenTelemetry's semantic conventions for gRPC). */
const faults = new Set(["UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"]);
const rpcStatus = "rpc_response_status_code";
const isRpcFault = { [rpcStatus]: (status: string) => faults.has(status) };
const isRpcRefusal = {
  [rpcStatus]: (status: string) => status !== "OK" && status !== "CANCELLED" && !faults.has(status),
};

/** Calls by the growth of one of the two histograms of calls. */
export function rpcFlow(
  rates: readonly Sample[],
  metric: "rpc.server.call.duration" | "rpc.client.call.duration",
  where: Where = {},
): Flow {
  const name = seriesOf(metric);
  const count = (more: Where) => total(rates, `${name}_count`, { ...where, ...more });
  return { rate: count({}), errors: count(isRpcFault), refused: count(isRpcRefusal), ...times(rates, name, where) };
}

/** Requests at the gateway. */
export function httpFlow(rates: readonly Sample[]): Flow {
  const name = seriesOf("http.server.request.duration");
  const count = (test?: (status: string) => boolean) =>
    total(rates, `${name}_count`, test && { http_response_status_code: test });
  return {
    rate: count(),
    errors: count((status) => status >= "500"),
    refused: count((status) => status.startsWith("4")),
    ...times(rates, name),
  };
}

/** What a histogram counted, with what counts as an error. */
export function histogramFlow(rates: readonly Sample[], metric: MetricName, where: Where = {}, failed?: Where): Flow {
  const name = seriesOf(metric);
  return {
    rate: total(rates, `${name}_count`, where),
    errors: failed === undefined ? 0 : total(rates, `${name}_count`, { ...where, ...failed }),
    refused: 0,
    ...times(rates, name, where),
  };
}

/** Requests that came to Envoy (`http_downstream`) or left it (`cluster_upstream`). Envoy's times are milliseconds. */
export function envoyFlow(
  rates: readonly Sample[],
  side: "http_downstream" | "cluster_upstream",
  names: string[],
): Flow {
  const label = side === "http_downstream" ? "envoy_http_conn_manager_prefix" : "envoy_cluster_name";
  const where = { [label]: (name: string) => names.includes(name) };
  const answered = (kind: string) => total(rates, `envoy_${side}_rq_xx`, { ...where, envoy_response_code_class: kind });
  return {
    rate: total(rates, `envoy_${side}_rq_total`, where),
    errors: answered("5"),
    refused: answered("4"),
    ...times(rates, `envoy_${side}_rq_time`, where, 1000),
  };
}

function times(
  rates: readonly Sample[],
  name: string,
  where: Where = {},
  perSecond = 1,
): Pick<Flow, "p50" | "p95" | "p99"> {
  const buckets = bucketsOf(rates, name, where);
  const at = (share: number) => {
    const value = quantile(share, buckets);
    return value === undefined ? undefined : value / perSecond;
  };
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}
