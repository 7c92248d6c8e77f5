import { Status } from "./task.ts";

/** Tasks of the same status and priority. */
export interface TaskGroup {
  status: Status;
  priority: number;
  count: number;
  overdueCount: number;
  recentlyCompletedCount: number;
}

export interface TaskStats {
  totalCount: number;
  statuses: { status: Status; count: number }[];
  /** Of tasks that are still to be done, the highest first. */
  priorities: { priority: number; count: number }[];
  overdueCount: number;
  recentlyCompletedCount: number;
}

/** Adds groups up. */
export function summarize(groups: readonly TaskGroup[]): TaskStats {
  const statuses = new Map<Status, number>();
  const priorities = new Map<number, number>();
  const sums = { totalCount: 0, overdueCount: 0, recentlyCompletedCount: 0 };
  for (const { status, priority, count, overdueCount, recentlyCompletedCount } of groups) {
    statuses.set(status, (statuses.get(status) ?? 0) + count);
    if (status === Status.OPEN || status === Status.IN_PROGRESS) {
      priorities.set(priority, (priorities.get(priority) ?? 0) + count);
    }
    sums.totalCount += count;
    sums.overdueCount += overdueCount;
    sums.recentlyCompletedCount += recentlyCompletedCount;
  }
  return {
    ...sums,
    statuses: [...statuses].sort(([a], [b]) => a - b).map(([status, count]) => ({ status, count })),
    priorities: [...priorities].sort(([a], [b]) => b - a).map(([priority, count]) => ({ priority, count })),
  };
}
