import { statement } from "#kit/db/statement.ts";
import { Role, type Task } from "../domain/task.ts";
import type { Comment } from "./comment.repository.ts";
import type { Run } from "./queries.ts";
import { columnNames, taskColumns, toRow } from "./task-row.ts";

const rowsInOneStatement = 500;

const insertTasksStatement = statement(
  "task-import",
  `WITH new_task AS (
     INSERT INTO task (${columnNames}) SELECT ${columnNames} FROM jsonb_to_recordset($1::jsonb)
       AS row (${taskColumns.map((column) => column.join(" ")).join(", ")})
     RETURNING task_id, owner_id, create_time
   ) INSERT INTO collaborator (task_id, user_id, role, create_time, task_create_time)
   SELECT task_id, owner_id, ${Role.OWNER}, create_time, create_time FROM new_task`,
  { operation: "INSERT", collection: "task" },
);

const insertCommentsStatement = statement(
  "comment-import",
  `INSERT INTO comment (comment_id, task_id, author_id, text, create_time)
   SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[])`,
);

/** Inserts tasks that only their owner takes part in. */
export async function insertTasks(run: Run, tasks: readonly Task[]): Promise<void> {
  for (const chunk of chunks(tasks)) {
    const rows = JSON.stringify(chunk.map(toJsonRow));
    await run(insertTasksStatement, [rows]);
  }
}

/** JSON has no bigint, and its form of a year after 9999, which a due can reach by its zone, is not PostgreSQL's. */
function toJsonRow(task: Task) {
  const row = toRow(task);
  return {
    ...row,
    due_instant: row.due_instant?.toISOString().replace(/^\+0/, ""),
    revision: String(row.revision),
    event_sequence: String(row.event_sequence),
  };
}

export async function insertComments(run: Run, comments: readonly Comment[]): Promise<void> {
  for (const chunk of chunks(comments)) {
    await run(insertCommentsStatement, [
      chunk.map(({ commentId }) => commentId),
      chunk.map(({ taskId }) => taskId),
      chunk.map(({ authorId }) => authorId),
      chunk.map(({ text }) => text),
      chunk.map(({ createTime }) => createTime),
    ]);
  }
}

/** The rows in parts, each small enough for one statement. */
export function* chunks<T>(rows: readonly T[]): Generator<T[]> {
  for (let start = 0; start < rows.length; start += rowsInOneStatement) {
    yield rows.slice(start, start + rowsInOneStatement);
  }
}
