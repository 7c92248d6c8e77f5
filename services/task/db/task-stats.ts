import { statement } from "#kit/db/statement.ts";
import type { TaskGroup } from "../domain/stats.ts";
import { Status } from "../domain/task.ts";
import type { Run } from "./queries.ts";

export interface StatsQuery {
  userId: string;
  now: Date;
  /** What the clock shows where the user is, as if it were UTC: so is stored what a due without a zone says. */
  localNow: Date;
  recentSince: Date;
}

const toBeDone = `t.status IN (${Status.OPEN}, ${Status.IN_PROGRESS})`;
const isPast = `CASE
  WHEN length(t.due_local) = 10 THEN t.due_instant + interval '1 day' <= $3::timestamptz
  WHEN t.due_time_zone IS NULL THEN t.due_instant < $3::timestamptz
  ELSE t.due_instant < $2::timestamptz END`;

const countStatement = statement(
  "task-count",
  `SELECT t.status, t.priority, count(*)::int AS "count",
     count(*) FILTER (WHERE ${toBeDone} AND ${isPast})::int AS "overdueCount",
     count(*) FILTER (WHERE t.status = ${Status.DONE} AND t.complete_time >= $4::timestamptz)::int AS "recentlyCompletedCount"
   FROM collaborator c JOIN task t ON t.task_id = c.task_id
   WHERE c.user_id = $1::uuid AND t.delete_time IS NULL GROUP BY t.status, t.priority`,
);

/** The tasks that the user may see, counted by status and priority. */
export function countTasks(run: Run, { userId, now, localNow, recentSince }: StatsQuery): Promise<TaskGroup[]> {
  return run<TaskGroup>(countStatement, [userId, now, localNow, recentSince]);
}
