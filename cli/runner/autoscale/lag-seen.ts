import type { GroupLag } from "#kit/events/lag.ts";
import type { LagSeen } from "./desired.ts";
import type { LagMetric } from "./policy.ts";

type Place = Pick<GroupLag, "group" | "topic" | "partition" | "committed" | "lag" | "instance">;

/** Each partition as it was when it last moved, changed hands or had no lag, and when that was. */
export type LagMemory = ReadonlyMap<number, { place: Place; since: number }>;

/** What a look is about: now, and how long a partition may stand still before it counts as stuck. Milliseconds. */
export interface LagTimes {
  now: number;
  patienceMs: number;
}

/**
 * Sums up the lag of one group in one topic. With `excludePersistentLag` a partition does not count whose owner has
 * not moved for a while though it has lag: more replicas would not move it either.
 */
export function seeLag(
  metric: LagMetric,
  lags: readonly Place[],
  before: LagMemory,
  { now, patienceMs }: LagTimes,
): { seen: LagSeen; memory: LagMemory } {
  const own = lags.filter(({ group, topic }) => group === metric.group && topic === metric.topic);
  const memory: LagMemory = new Map(
    own.map((place) => {
      const then = before.get(place.partition);
      return [place.partition, then !== undefined && isStill(place, then.place) ? then : { place, since: now }];
    }),
  );
  const waiting = own.filter(({ lag }) => lag > 0);
  const isStuck = ({ partition }: Place) => now - (memory.get(partition)?.since ?? now) >= patienceMs;
  const stuck = metric.excludePersistentLag ? waiting.filter(isStuck) : [];
  const counted = waiting.filter((place) => !stuck.includes(place));
  return {
    seen: {
      total: counted.reduce((sum, { lag }) => sum + lag, 0),
      partitions: counted.length,
      stuck: stuck.map(({ partition }) => partition),
    },
    memory,
  };
}

/** A partition that has just changed hands, or has nobody, has had no chance to move. */
function isStill(now: Place, then: Place): boolean {
  if (now.instance === undefined || now.instance !== then.instance) return false;
  return then.lag > 0 && now.lag > 0 && now.committed === then.committed;
}
