import type { GroupLag } from "../lag/read-lag.ts";
import { select } from "../metrics/rates.ts";
import { handled, ratesOf } from "./edges.ts";
import type { GroupRow, PartitionRow, TopicRow } from "./picture.ts";
import type { Readings } from "./readings.ts";
import { seriesOf } from "./series.ts";

/** Who owns which partition and how far behind it is: groups and topics by name. */
export function groupsOf(lags: readonly GroupLag[], readings: Readings): GroupRow[] {
  const consumers = ratesOf(readings, "consumers");
  const names = [...new Set(lags.map(({ group }) => group))].sort();
  return names.map((group) => {
    const own = lags.filter((lag) => lag.group === group);
    const { rate, errors } = handled(consumers, group);
    const members = [...new Set(own.flatMap(({ instance }) => instance ?? []))].sort(byNumber);
    const deadLetters = deadLettersOf(group, readings);
    return { group, lag: sumOf(own), rate, errors, deadLetters, members, topics: topicsOf(own) };
  });
}

/** Every consumer tells the same number, each when it last looked. */
function deadLettersOf(group: string, { instances, now }: Readings): number {
  const consumers = instances.filter(({ unit }) => unit === "consumers");
  const samples = consumers.flatMap(({ name }) => now.get(name) ?? []);
  const told = select(samples, seriesOf("taskmesh.event.dead_letters_waiting"), {
    messaging_consumer_group_name: group,
  });
  return Math.max(0, ...told.map(({ value }) => value));
}

function topicsOf(lags: readonly GroupLag[]): TopicRow[] {
  const names = [...new Set(lags.map(({ topic }) => topic))].sort();
  const topics = names.map((topic) => {
    const own = lags.filter((lag) => lag.topic === topic);
    return { topic, lag: sumOf(own), partitions: own.map(partitionOf).sort((a, b) => a.partition - b.partition) };
  });
  // Retry topics are many and empty for most of their life.
  return topics.filter(({ topic, partitions }) => !/\.retry-/.test(topic) || partitions.some(({ end }) => end > 0));
}

function partitionOf({ partition, instance, lag, end }: GroupLag): PartitionRow {
  return { partition, ...(instance !== undefined && { instance }), lag, end };
}

function sumOf(lags: readonly GroupLag[]): number {
  return lags.reduce((sum, { lag }) => sum + lag, 0);
}

/** consumers-10 comes after consumers-9. */
export function byNumber(one: string, other: string): number {
  return one.localeCompare(other, "en", { numeric: true });
}
