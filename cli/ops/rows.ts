import type { Sample } from "../metrics/parse.ts";
import { select, total } from "../metrics/rates.ts";
import { groupId, handled, ratesOf, services } from "./edges.ts";
import { byNumber } from "./groups.ts";
import type { GroupRow, InstanceRow, LeaderRow, Picture, Place } from "./picture.ts";
import { envoy, type Readings } from "./readings.ts";
import { httpFlow, rpcFlow, seriesOf } from "./series.ts";
import type { SourceInstance } from "./source.ts";

const order = [
  "envoy",
  "gateway",
  ...services,
  "consumers",
  "postgres",
  "postgres-replica",
  "redis",
  "kafka",
  "jaeger",
  "prometheus",
  "mail",
];

/** Every program that runs, in the order of a request's way. */
export function instancesOf(readings: Readings, groups: readonly GroupRow[]): InstanceRow[] {
  const owned = new Map<string, number>();
  for (const { instance } of groups.flatMap(({ topics }) => topics.flatMap(({ partitions }) => partitions))) {
    if (instance !== undefined) owned.set(instance, (owned.get(instance) ?? 0) + 1);
  }
  const place = (unit: string) => (order.includes(unit) ? order.indexOf(unit) : order.length);
  return readings.instances
    .map((instance) => rowOf(instance, readings, owned.get(instance.name)))
    .sort((one, other) => place(one.unit) - place(other.unit) || byNumber(one.name, other.name));
}

function rowOf(instance: SourceInstance, readings: Readings, partitions: number | undefined): InstanceRow {
  const { name, unit, status, fault, restarts, startedAt } = instance;
  const [now, rates] = [readings.now.get(name), readings.rates.get(name)];
  const cpu = rates && select(rates, seriesOf("process.cpu.time"))[0]?.value;
  return {
    ...{ name, unit, status, fault, restarts, startedAt },
    memoryBytes: instance.memoryBytes ?? lastOf(now, seriesOf("process.memory.usage")),
    cpu: cpu ?? readings.cpu.get(name),
    loopDelay: lastOf(now, seriesOf("nodejs.eventloop.delay.p99")),
    ...(rates === undefined ? {} : workOf(unit, rates)),
    ...(unit === "consumers" && { partitions: partitions ?? 0 }),
    ...(unit === "gateway" && now && { streams: total(now, seriesOf("taskmesh.gateway.streams")) }),
  };
}

function workOf(unit: string, rates: readonly Sample[]): { rate: number; errors: number } {
  if (unit === "gateway") return httpFlow(rates);
  if (unit === "consumers") return handled(rates);
  return rpcFlow(rates, "rpc.server.call.duration");
}

function lastOf(samples: readonly Sample[] | undefined, name: string): number | undefined {
  return samples?.find((sample) => sample.name === name)?.value;
}

/** Every place of the mesh: what runs, and who stands outside. */
export function placesOf(readings: Readings, groups: readonly GroupRow[]): Place[] {
  const units = new Map<string, Pick<Place, "instances" | "ready">>();
  for (const unit of order) {
    const own = readings.instances.filter((instance) => instance.unit === unit);
    if (own.length > 0) {
      units.set(unit, { instances: own.length, ready: own.filter(({ status }) => status === "ready").length });
    }
  }
  return [
    { id: "clients", title: "Clients", kind: "clients" },
    { id: "edge", title: "Envoy edge", kind: "edge", ...units.get("envoy") },
    { id: "gateway", title: "gateway", kind: "gateway", ...units.get("gateway") },
    { id: "mesh", title: "Envoy mesh", kind: "mesh", ...units.get("envoy") },
    ...services.map((name) => ({ id: name, title: name, kind: "service" as const, ...units.get(name) })),
    { id: "postgres", title: "PostgreSQL", kind: "part", ...units.get("postgres") },
    { id: "redis", title: "Redis", kind: "part", ...units.get("redis") },
    { id: "kafka", title: "Kafka", kind: "part", ...units.get("kafka") },
    ...groups.map(({ group, members }) => ({
      id: groupId(group),
      title: group,
      kind: "group" as const,
      instances: members.length,
      ready: members.length,
    })),
    { id: "consumers", title: "consumers", kind: "group", ...units.get("consumers") },
    { id: "mail", title: "Mail", kind: "outside", ...units.get("mail") },
  ];
}

/** What one instance of each unit does for all: the outboxes, and the reminders. */
export function leadersOf(readings: Readings): LeaderRow[] {
  return [
    ...[...services, "consumers"].map((unit) => leaderOf(readings, { unit, work: `outbox of ${unit}`, ...outbox })),
    leaderOf(readings, { unit: "consumers", work: "reminders", ...reminders }),
  ].filter((row) => row !== undefined);
}

interface Lead {
  unit: string;
  work: string;
  leads: string;
  age: string;
  done: string;
}

const outbox = {
  leads: seriesOf("taskmesh.outbox.leader"),
  age: seriesOf("taskmesh.outbox.lag"),
  done: seriesOf("taskmesh.outbox.sent"),
};
const reminders = {
  leads: seriesOf("taskmesh.scheduler.leader"),
  age: seriesOf("taskmesh.scheduler.lag"),
  done: seriesOf("taskmesh.scheduler.fired"),
};

/** Undefined where no instance has to do with it. */
function leaderOf(readings: Readings, { unit, work, leads, age, done }: Lead): LeaderRow | undefined {
  const own = readings.instances.filter((instance) => instance.unit === unit);
  const pages = own.map(({ name }) => ({ name, now: readings.now.get(name) }));
  if (!pages.some(({ now }) => lastOf(now, leads) !== undefined)) return undefined;
  const leader = pages.find(({ now }) => lastOf(now, leads) === 1);
  return {
    work,
    ...(leader && { leader: leader.name }),
    ageSeconds: Math.max(0, ...pages.map(({ now }) => lastOf(now, age) ?? 0)),
    rate: total(ratesOf(readings, unit), done),
  };
}

/** What each limit refused. */
export function limitsOf(readings: Readings): Picture["limits"] {
  const name = seriesOf("taskmesh.limits.refusals");
  const label = "taskmesh_limits_name";
  const gateways = readings.instances.filter(({ unit }) => unit === "gateway");
  const now = gateways.flatMap((instance) => readings.now.get(instance.name) ?? []);
  const rates = ratesOf(readings, "gateway");
  const limits = new Set(select(now, name).flatMap(({ labels }) => labels[label] ?? []));
  return [...limits].sort().map((limit) => ({
    limit,
    rate: total(rates, name, { [label]: limit }),
    total: total(now, name, { [label]: limit }),
  }));
}

/** Whether Envoy sends traffic to fewer instances of a cluster than there are. */
export function unhealthyClusters(readings: Readings): string[] {
  const now = readings.now.get(envoy) ?? [];
  return select(now, "envoy_cluster_membership_total").flatMap(({ labels, value }) => {
    const cluster = labels.envoy_cluster_name ?? "";
    const healthy = total(now, "envoy_cluster_membership_healthy", { envoy_cluster_name: cluster });
    return healthy < value ? [`envoy: ${healthy} of ${value} instances of ${cluster} get traffic`] : [];
  });
}
