import { statement } from "#kit/db/statement.ts";
import type { Member, Role, Task } from "../domain/task.ts";
import type { Run } from "./queries.ts";
import { fromRow, selectedColumns, type TaskRow } from "./task-row.ts";

// Above what a tree can hold, so that a fault in the data cannot make a query run on.
const deepest = 10;

const lockTreeStatement = statement(
  "task-tree-lock",
  "SELECT pg_advisory_xact_lock(hashtextextended($1::uuid::text, 7305402772))",
  { operation: "SELECT", collection: "task" },
);

const ancestorsStatement = statement(
  "task-ancestors",
  `WITH RECURSIVE up AS (
     SELECT t.task_id, t.owner_id, t.parent_task_id, 1 AS level FROM task t
     JOIN collaborator c ON c.task_id = t.task_id AND c.user_id = $2::uuid
     WHERE t.task_id = $1::uuid AND t.delete_time IS NULL
     UNION ALL
     SELECT t.task_id, t.owner_id, t.parent_task_id, up.level + 1 FROM task t
     JOIN up ON t.task_id = up.parent_task_id WHERE t.delete_time IS NULL AND up.level < ${deepest}
   ) SELECT task_id, owner_id FROM up ORDER BY level`,
  { operation: "SELECT", collection: "task" },
);

const subtreeStatement = statement(
  "task-subtree",
  `WITH RECURSIVE down AS (
     SELECT $1::uuid AS task_id, 1 AS level
     UNION ALL
     SELECT t.task_id, down.level + 1 FROM task t
     JOIN down ON t.parent_task_id = down.task_id WHERE t.delete_time IS NULL AND down.level < ${deepest}
   ) SELECT task_id, level FROM down`,
  { operation: "SELECT", collection: "task" },
);

const lockAllStatement = statement(
  "task-lock-all",
  `SELECT ${selectedColumns} FROM task t
   WHERE t.task_id = ANY($1::uuid[]) AND t.delete_time IS NULL ORDER BY t.task_id FOR UPDATE`,
);

const membersStatement = statement(
  "collaborator-of-many",
  "SELECT task_id, user_id, role FROM collaborator WHERE task_id = ANY($1::uuid[])",
);

const deleteStatement = statement(
  "task-delete",
  `UPDATE task AS t SET delete_time = $3::timestamptz, update_time = $3::timestamptz, revision = revision + 1,
     event_sequence = gone.event_sequence
   FROM unnest($1::uuid[], $2::bigint[]) AS gone (task_id, event_sequence) WHERE t.task_id = gone.task_id`,
);

/** Keeps the tree of an owner's tasks from changing until the transaction ends. Comes before any other lock. */
export async function lockTree(run: Run, ownerId: string): Promise<void> {
  await run(lockTreeStatement, [ownerId]);
}

/** A task and what it is a part of, nearest first; empty when the user may not see it. */
export async function ancestorsOf(run: Run, taskId: string, userId: string) {
  const rows = await run<{ task_id: string; owner_id: string }>(ancestorsStatement, [taskId, userId]);
  return rows.map((row) => ({ taskId: row.task_id, ownerId: row.owner_id }));
}

/** The ids of a task and of everything below it, and how many levels they make. */
export async function subtreeOf(run: Run, taskId: string): Promise<{ taskIds: string[]; height: number }> {
  const rows = await run<{ task_id: string; level: number }>(subtreeStatement, [taskId]);
  return { taskIds: rows.map((row) => row.task_id), height: Math.max(...rows.map(({ level }) => level)) };
}

/** The tasks, locked until the transaction ends, always in one order so that two such calls cannot lock each other out. */
export async function lockTasks(run: Run, taskIds: readonly string[]): Promise<Task[]> {
  return (await run<TaskRow>(lockAllStatement, [taskIds])).map(fromRow);
}

/** Who takes part in which of the tasks. */
export async function membersOf(run: Run, taskIds: readonly string[]): Promise<Map<string, Member[]>> {
  const rows = await run<{ task_id: string; user_id: string; role: Role }>(membersStatement, [taskIds]);
  const members = new Map<string, Member[]>(taskIds.map((taskId) => [taskId, []]));
  for (const row of rows) members.get(row.task_id)?.push({ userId: row.user_id, role: row.role });
  return members;
}

/** Marks locked tasks as deleted, with the event sequences that they have now. */
export async function deleteTasks(run: Run, tasks: readonly Task[], at: Date): Promise<void> {
  await run(deleteStatement, [tasks.map(({ taskId }) => taskId), tasks.map((task) => task.eventSequence), at]);
}
