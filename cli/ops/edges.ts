import type { Sample } from "../metrics/parse.ts";
import { select, total, type Where } from "../metrics/rates.ts";
import type { Edge, Flow, Method } from "./picture.ts";
import { envoy, type Readings } from "./readings.ts";
import { envoyFlow, histogramFlow, httpFlow, rpcFlow, seriesOf } from "./series.ts";

export const services = ["auth", "user", "task", "notification"] as const;
export const edgeCluster = ["gateway_http", "gateway_grpc"];
const groupLabel = "messaging_consumer_group_name";

/** Every way of the mesh with what moves on it: the main road always, side roads once something has moved. */
export function edgesOf(readings: Readings, groups: readonly string[]): Edge[] {
  const of = (unit: string) => ratesOf(readings, unit);
  const gateway = of("gateway");
  const edges: Edge[] = [
    ...fromOutside(readings, gateway),
    { from: "gateway", to: "mesh", unit: "calls", ...rpcFlow(gateway, "rpc.client.call.duration") },
    ...services.map((name) => ({
      from: "mesh",
      to: name,
      unit: "calls",
      ...rpcFlow(of(name), "rpc.server.call.duration"),
    })),
    ...services.map((name) => ({ from: name, to: "postgres", unit: "queries", ...queries(of(name)) })),
    ...services.map((name) => ({ from: name, to: "kafka", unit: "events", ...published(of(name)) })),
    ...groups.map((group) => ({
      from: "kafka",
      to: groupId(group),
      unit: "events",
      ...handled(of("consumers"), group),
    })),
  ];
  const side: Edge[] = [
    ...[...services, "consumers"].map((name) => ({
      from: name,
      to: "mesh",
      unit: "calls",
      ...rpcFlow(of(name), "rpc.client.call.duration"),
    })),
    { from: "consumers", to: "postgres", unit: "queries", ...queries(of("consumers")) },
    { from: "gateway", to: "redis", unit: "limits", ...limited(gateway) },
    { from: groupId("email"), to: "mail", unit: "mails", ...mails(of("consumers")) },
  ];
  const mailing = groups.includes("email");
  return [...edges, ...side.filter(({ rate, to }) => rate > 0 || to === "redis" || (to === "mail" && mailing))];
}

/** What every RPC did, the busiest first. */
export function methodsOf(readings: Readings): Method[] {
  const rates = services.flatMap((name) => ratesOf(readings, name));
  const counts = select(rates, `${seriesOf("rpc.server.call.duration")}_count`);
  const names = new Set(counts.filter(({ value }) => value > 0).map(({ labels }) => labels.rpc_method ?? ""));
  return [...names]
    .map((method) => ({ method, ...rpcFlow(rates, "rpc.server.call.duration", { rpc_method: method }) }))
    .sort((one, other) => other.rate - one.rate || one.method.localeCompare(other.method));
}

/** The growth of the series of all instances of a process or part together. */
export function ratesOf(readings: Readings, unit: string): Sample[] {
  const names = readings.instances.filter((instance) => instance.unit === unit).map(({ name }) => name);
  return names.flatMap((name) => readings.rates.get(name) ?? []);
}

/** Events that a group handled, or all did; one that has to be tried again, or never will be, has failed. */
export function handled(rates: readonly Sample[], group?: string): Flow {
  const failed = { taskmesh_event_outcome: (outcome: string) => outcome === "retried" || outcome === "dead" };
  const where: Where = group === undefined ? {} : { [groupLabel]: group };
  return histogramFlow(rates, "messaging.process.duration", where, failed);
}

/** The groups that the consumers have handled events for. */
export function groupsSeen(readings: Readings): string[] {
  const names = readings.instances.filter(({ unit }) => unit === "consumers").map(({ name }) => name);
  const samples = names.flatMap((name) => readings.now.get(name) ?? []);
  const counts = select(samples, `${seriesOf("messaging.process.duration")}_count`);
  return [...new Set(counts.flatMap(({ labels }) => labels[groupLabel] ?? []))];
}

export function groupId(group: string): string {
  return `group:${group}`;
}

/** Where Envoy cannot be asked, the gateway tells of what reached it. */
function fromOutside(readings: Readings, gateway: readonly Sample[]): Edge[] {
  const rates = readings.rates.get(envoy);
  const atEdge = rates ? envoyFlow(rates, "http_downstream", ["edge", "edge_tls"]) : httpFlow(gateway);
  const toGateway = rates ? envoyFlow(rates, "cluster_upstream", edgeCluster) : httpFlow(gateway);
  return [
    { from: "clients", to: "edge", unit: "requests", ...atEdge },
    { from: "edge", to: "gateway", unit: "requests", ...toGateway },
  ];
}

function queries(rates: readonly Sample[]): Flow {
  return histogramFlow(rates, "db.client.operation.duration", {}, { error_type: (type) => type !== "" });
}

/** Its time is the wait in the outbox. */
function published(rates: readonly Sample[]): Flow {
  const waits = histogramFlow(rates, "taskmesh.outbox.wait");
  return { ...waits, errors: total(rates, seriesOf("taskmesh.outbox.failures")) };
}

function limited(rates: readonly Sample[]): Flow {
  const name = seriesOf("taskmesh.limits.calls");
  const refused = total(rates, seriesOf("taskmesh.limits.refusals"));
  return { rate: total(rates, name, { taskmesh_limits_store: "redis" }), errors: 0, refused };
}

function mails(rates: readonly Sample[]): Flow {
  const name = seriesOf("taskmesh.notification.deliveries");
  const count = (outcome: string) => total(rates, name, { taskmesh_channel: "email", taskmesh_outcome: outcome });
  const [sent, failed] = [count("sent"), count("failed")];
  return { rate: sent + failed, errors: failed, refused: 0 };
}
