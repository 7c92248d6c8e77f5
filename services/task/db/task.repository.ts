import { statement } from "#kit/db/statement.ts";
import { type Collaborator, type Member, Role, type Task } from "../domain/task.ts";
import { eventCte, eventParameters, type RecordedEvent } from "./activity.repository.ts";
import type { Run } from "./queries.ts";
import {
  columnNames,
  fromRow,
  selectedColumns,
  type TaskRow,
  taskColumns,
  toParameters,
  type WithRole,
} from "./task-row.ts";

export interface VisibleTask {
  task: Task;
  role: Role;
}

const width = taskColumns.length;
const values = taskColumns.map(([_, type], index) => `$${index + 1}::${type}`).join(", ");
const [idColumn, ...otherColumns] = taskColumns.map(([name]) => name);
const assignments = otherColumns
  .map((name, index) => `${name} = $${index + 2}::${taskColumns[index + 1]?.[1]}`)
  .join(", ");

const findStatement = statement(
  "task-find",
  `SELECT ${selectedColumns}, c.role FROM task t JOIN collaborator c ON c.task_id = t.task_id AND c.user_id = $2::uuid
   WHERE t.task_id = $1::uuid AND t.delete_time IS NULL`,
);

const lockStatement = statement(
  "task-lock",
  `SELECT ${selectedColumns} FROM task t WHERE t.task_id = $1::uuid AND t.delete_time IS NULL FOR UPDATE`,
);

// The task, who takes part in it, its first event and activity: one round trip, one commit.
const insertStatement = statement(
  "task-insert",
  `WITH new_task AS (INSERT INTO task (${columnNames}) VALUES (${values})),
   members AS (
     INSERT INTO collaborator (task_id, user_id, role, create_time, task_create_time)
     SELECT $1::uuid, user_id, role, $${width + 3}::timestamptz, $${width + 3}::timestamptz
     FROM unnest($${width + 1}::uuid[], $${width + 2}::smallint[]) AS member (user_id, role)
   ),
   ${eventCte(width + 4)} SELECT FROM outbox`,
  { operation: "INSERT", collection: "task" },
);

const saveStatement = statement("task-save", `UPDATE task SET ${assignments} WHERE ${idColumn} = $1::uuid`);

const countEventsStatement = statement(
  "task-count-events",
  "UPDATE task SET event_sequence = $2::bigint WHERE task_id = $1::uuid",
);

const successorStatement = statement(
  "task-successor",
  `SELECT ${selectedColumns} FROM task t
   WHERE t.series_id = $1::uuid AND t.series_index > $2 AND t.delete_time IS NULL ORDER BY t.series_index LIMIT 1`,
);

const collaboratorsStatement = statement(
  "collaborator-list",
  `SELECT task_id, user_id, role, create_time FROM collaborator
   WHERE task_id = $1::uuid ORDER BY (role = ${Role.OWNER}) DESC, create_time, user_id`,
);

const joinStatement = statement(
  "collaborator-join",
  `INSERT INTO collaborator (task_id, user_id, role, create_time, task_create_time)
   SELECT $1::uuid, user_id, $3::smallint, $4::timestamptz, $5::timestamptz FROM unnest($2::uuid[]) AS user_id
   ON CONFLICT (task_id, user_id) DO UPDATE SET role = excluded.role`,
);

interface CollaboratorRow {
  task_id: string;
  user_id: string;
  role: Role;
  create_time: Date;
}

/** The task with what the user may do with it; undefined when it is not there or not to be seen. */
export async function findTask(run: Run, taskId: string, userId: string): Promise<VisibleTask | undefined> {
  const [row] = await run<WithRole>(findStatement, [taskId, userId]);
  return row && { task: fromRow(row), role: row.role };
}

/** The task, locked until the transaction ends. */
export async function lockTask(run: Run, taskId: string): Promise<Task | undefined> {
  const [row] = await run<TaskRow>(lockStatement, [taskId]);
  return row && fromRow(row);
}

/** Inserts the task with its collaborators and its first event. The id may be taken: see `isUniqueViolation`. */
export async function insertTask(
  run: Run,
  task: Task,
  members: readonly Member[],
  event: RecordedEvent,
): Promise<void> {
  await run(insertStatement, [
    ...toParameters(task),
    members.map(({ userId }) => userId),
    members.map(({ role }) => role),
    task.createTime,
    ...eventParameters(event),
  ]);
}

/** Writes a task that was locked before. */
export async function saveTask(run: Run, task: Task): Promise<void> {
  await run(saveStatement, toParameters(task));
}

/** Writes the event sequence of a locked task whose fields did not change. */
export async function saveEventSequence(run: Run, { taskId, eventSequence }: Task): Promise<void> {
  await run(countEventsStatement, [taskId, eventSequence]);
}

/** The task that came after this one in its series, if it is still there. */
export async function findSuccessor(run: Run, { occurrence }: Task): Promise<Task | undefined> {
  if (occurrence === null) return undefined;
  const [row] = await run<TaskRow>(successorStatement, [occurrence.seriesId, occurrence.index]);
  return row && fromRow(row);
}

/** Who takes part, the owner first, then by time. */
export async function collaboratorsOf(run: Run, taskId: string): Promise<Collaborator[]> {
  const rows = await run<CollaboratorRow>(collaboratorsStatement, [taskId]);
  return rows.map((row) => ({
    taskId: row.task_id,
    userId: row.user_id,
    role: row.role,
    createTime: row.create_time,
  }));
}

/** Lets people take part with the given role, whatever their role was. */
export async function addCollaborators(
  run: Run,
  task: Task,
  { userIds, role, at }: { userIds: readonly string[]; role: Role; at: Date },
): Promise<void> {
  if (userIds.length === 0) return;
  await run(joinStatement, [task.taskId, userIds, role, at, task.createTime]);
}
