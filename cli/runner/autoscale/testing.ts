import type { LagMetric } from "./policy.ts";

/** A lag as the cluster's files have it, for tests. */
export const lagMetric: LagMetric = {
  kind: "lag",
  group: "email",
  topic: "deliveries",
  threshold: 100,
  limitToPartitionsWithLag: true,
  excludePersistentLag: true,
};
