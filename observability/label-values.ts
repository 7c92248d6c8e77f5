import { type AttributeDescription, attributeRegistry } from "./attributes.ts";
import type { AttributeName, metrics } from "./names.ts";

type Metrics = typeof metrics;
/** The attributes that are labels of a metric. */
export type LabelName = {
  [N in keyof Metrics]: Metrics[N] extends { attributes: readonly (infer A extends AttributeName)[] } ? A : never;
}[keyof Metrics];

interface LabelValues {
  /** Where the closed set of its values comes from. Their form is in the registry of attributes. */
  from: string;
  /** How many there are in a mesh at most. */
  most: number;
}

/**
 * For each label why it cannot grow with the data. A series lives as long as its process, so that a label with an id, a
 * path, an address or a text in it would fill the memory of the process and of Prometheus.
 */
export const labelValues: Readonly<Record<LabelName, LabelValues>> = {
  "rpc.method": { from: "the RPCs of the descriptors", most: 80 },
  "rpc.response.status_code": { from: "the 17 codes of gRPC", most: 17 },
  "error.type": { from: "mesh.v1.ErrorReason, codes of Node, PostgreSQL and Kafka, classes of errors", most: 80 },
  "http.request.method": { from: "the well-known methods, and _OTHER", most: 9 },
  "http.route": {
    from: "templates of google.api.http, paths of RPCs and of the gateway's pages, * for others",
    most: 150,
  },
  "http.response.status_code": { from: "the statuses that the gateway answers with", most: 40 },
  "network.protocol.name": { from: "http, and StreamKind in gateway/streams/open-streams.ts", most: 8 },
  "db.operation.name": { from: "the verbs of our statements", most: 20 },
  "db.collection.name": { from: "the tables of our migrations", most: 60 },
  "db.client.connection.state": { from: "idle and used, in kit/db/database.ts", most: 2 },
  "taskmesh.db.server": { from: "primary and replica, in kit/consistency/interceptor.ts", most: 2 },
  "messaging.consumer.group.name": { from: "the folders of consumers/", most: 8 },
  "messaging.destination.name": { from: "kit/events/topics.ts", most: 40 },
  "messaging.destination.partition.id": { from: "KAFKA_PARTITIONS", most: 128 },
  "taskmesh.event.outcome": { from: "the ends that the consumer chain knows", most: 8 },
  "taskmesh.event.attempt": { from: "the retry topics, counted", most: 12 },
  "taskmesh.cache.name": { from: "CacheName in kit/cache-lookups.ts", most: 8 },
  "taskmesh.cache.result": { from: "hit and miss, in kit/cache-lookups.ts", most: 2 },
  "taskmesh.limits.name": { from: "gateway/limits/presets.ts", most: 24 },
  "taskmesh.priority": { from: "kit/overload/priority.ts", most: 4 },
  "taskmesh.limits.store": { from: "redis and memory, in gateway/limits/metrics.ts", most: 2 },
  "taskmesh.outcome": { from: "the types in the metrics.ts files", most: 24 },
  "taskmesh.channel": { from: "the channels of deliveries", most: 8 },
  "v8js.gc.type": { from: "V8's kinds of collection", most: 5 },
  "otel.component.name": { from: "the tracing SDK", most: 2 },
  "otel.component.type": { from: "the tracing SDK", most: 1 },
};

/** What is wrong with the labels of some series of ours, by Prometheus' names. */
export function unboundedLabels(series: Iterable<Readonly<Record<string, string>>>): string[] {
  const names = Object.keys(labelValues) as LabelName[];
  const known = new Map(names.map((name) => [name.replaceAll(".", "_"), { name, seen: new Set<string>() }]));
  const faults = new Set<string>();
  for (const labels of series) {
    for (const [label, value] of Object.entries(labels)) {
      // The bound of a bucket is the table's.
      if (label === "le") continue;
      const found = known.get(label);
      if (found === undefined) faults.add(`${label} is in no table`);
      else if (!fits(found.name, value)) faults.add(`${label} has a strange value: ${value.slice(0, 80)}`);
      found?.seen.add(value);
    }
  }
  for (const { name, seen } of known.values()) {
    const { most } = labelValues[name];
    if (seen.size > most) faults.add(`${name} has ${seen.size} values, ${most} at most`);
  }
  return [...faults];
}

function fits(name: LabelName, value: string): boolean {
  const description: AttributeDescription = attributeRegistry[name];
  const { values, form, range } = description;
  if (values !== undefined) return values.includes(value);
  if (form !== undefined) return form.test(value);
  const number = Number(value);
  return range !== undefined && number >= range[0] && number <= range[1];
}
