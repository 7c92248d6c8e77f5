import type { Family } from "#observability/exposition.ts";
import type { GroupLag } from "../lag/read-lag.ts";
import { family, single } from "./families.ts";

/** Kafka as kafka_exporter names it. */
export function kafkaFamilies(lags: readonly GroupLag[] | undefined): Family[] {
  const up = single("gauge", "kafka_up", "Whether Kafka answers", lags === undefined ? 0 : 1);
  if (lags === undefined) return [up];
  const perPartition = (name: string, help: string, value: (lag: GroupLag) => number): Family =>
    family(
      "gauge",
      name,
      help,
      lags.map((lag) => [{ consumergroup: lag.group, topic: lag.topic, partition: String(lag.partition) }, value(lag)]),
    );
  const members = [...Map.groupBy(lags, ({ group }) => group)].map(
    ([consumergroup, rows]) =>
      [{ consumergroup }, new Set(rows.flatMap(({ instance }) => instance ?? [])).size] as const,
  );
  return [
    up,
    perPartition("kafka_consumergroup_lag", "Events that are not committed yet", ({ lag }) => lag),
    perPartition("kafka_consumergroup_current_offset", "Where the group goes on", ({ committed }) => committed ?? 0),
    family("gauge", "kafka_consumergroup_members", "Members that own a partition", members),
  ];
}
