import type { LagMetric, ResourceMetric } from "./policy.ts";

/** How many replicas one metric asks for. */
export interface Proposal {
  /** What was looked at: `cpu`, `memory`, `lag of email in notification.deliveries.v1`. */
  metric: string;
  /** Percent, or events. Undefined: there is nothing to go by yet. */
  value: number | undefined;
  target: number;
  replicas: number;
  note?: string;
}

/** Less than this much beside the target changes nothing, as in Kubernetes. */
const tolerance = 0.1;

/**
 * CPU and memory as the HorizontalPodAutoscaler counts them: the mean share of the request over all replicas. One that
 * cannot be measured yet (undefined) is taken to idle where there are to be more, and to be busy where there are to be
 * fewer, so that it never drives a change. `used` are cores, or bytes.
 */
export function byUtilization(
  { kind, target, request }: ResourceMetric,
  used: readonly (number | undefined)[],
): Proposal {
  const current = used.length;
  const measured = used.filter((usage) => usage !== undefined).map((usage) => (100 * usage) / request);
  const stay = { metric: kind, value: undefined, target, replicas: current };
  if (measured.length === 0) return { ...stay, note: "nothing measured yet" };
  const sum = measured.reduce((total, share) => total + share, 0);
  const value = sum / measured.length;
  const unknown = current - measured.length;
  const assumed = value > target ? 0 : Math.max(100, target);
  const ratio = (sum + unknown * assumed) / current / target;
  const isSame = Math.abs(1 - ratio) <= tolerance || (unknown > 0 && ratio > 1 !== value > target);
  return { ...stay, value: round(value), replicas: isSame ? current : Math.ceil(round(ratio * current)) };
}

/** What a lag metric sees: the events that count, and in how many partitions they are. */
export interface LagSeen {
  total: number;
  partitions: number;
  /** Partitions that were left out because nothing moves there. */
  stuck: readonly number[];
}

/** Lag as KEDA hands it to the HorizontalPodAutoscaler: a sum, of which each replica should have the threshold. */
export function byLag(
  { group, topic, threshold, limitToPartitionsWithLag }: LagMetric,
  { total, partitions, stuck }: LagSeen,
  current: number,
): Proposal {
  const most = limitToPartitionsWithLag ? partitions : Number.POSITIVE_INFINITY;
  const ratio = total / (threshold * Math.max(1, current));
  const wished = Math.abs(1 - ratio) <= tolerance ? current : Math.ceil(total / threshold);
  const notes = [
    ...(wished > most ? [`${partitions} partitions with lag`] : []),
    ...(stuck.length > 0 ? [`without the stuck partitions ${stuck.join(", ")}`] : []),
  ];
  return {
    metric: `lag of ${group} in ${topic}`,
    value: total,
    target: threshold,
    replicas: Math.min(wished, most),
    ...(notes.length > 0 && { note: notes.join("; ") }),
  };
}

/** The proposal that asks for the most replicas: no metric may be neglected because another is content. */
export function highest(proposals: readonly Proposal[]): Proposal {
  return proposals.reduce((most, proposal) => (proposal.replicas > most.replicas ? proposal : most));
}

/** Sums of fractions must not ask for one more because of their last digit. */
function round(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}
