import { statement } from "#kit/db/statement.ts";
import type { Run } from "./queries.ts";

export interface Comment {
  commentId: string;
  taskId: string;
  authorId: string;
  text: string;
  createTime: Date;
}

interface CommentRow {
  comment_id: string;
  task_id: string;
  author_id: string;
  text: string;
  create_time: Date;
}

/** Where a page of comments ends. */
export interface CommentCursor {
  createTime: string;
  commentId: string;
}

const insertStatement = statement(
  "comment-insert",
  "INSERT INTO comment (comment_id, task_id, author_id, text, create_time) VALUES ($1, $2, $3, $4, $5)",
);

const pageStatement = statement(
  "comment-page",
  `SELECT comment_id, task_id, author_id, text, create_time FROM comment
   WHERE task_id = $1::uuid AND (create_time, comment_id) > ($2::timestamptz, $3::uuid)
   ORDER BY create_time, comment_id LIMIT $4`,
);

const beforeAll: CommentCursor = { createTime: "-infinity", commentId: "00000000-0000-0000-0000-000000000000" };

export async function insertComment(run: Run, comment: Comment): Promise<void> {
  const { commentId, taskId, authorId, text, createTime } = comment;
  await run(insertStatement, [commentId, taskId, authorId, text, createTime]);
}

/** At most `limit` comments on a task, oldest first, after the cursor. */
export async function commentsAfter(
  run: Run,
  taskId: string,
  { after = beforeAll, limit }: { after?: CommentCursor | undefined; limit: number },
): Promise<Comment[]> {
  const rows = await run<CommentRow>(pageStatement, [taskId, after.createTime, after.commentId, limit]);
  return rows.map((row) => ({
    commentId: row.comment_id,
    taskId: row.task_id,
    authorId: row.author_id,
    text: row.text,
    createTime: row.create_time,
  }));
}
