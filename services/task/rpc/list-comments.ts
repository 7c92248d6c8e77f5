import type { TaskService } from "#gen/task/v1/task_service_pb.js";
import { decodePageToken, encodePageToken } from "#kit/db/page-token.ts";
import type { Unary } from "#kit/grpc/service.ts";
import { readTask } from "../access.ts";
import type { TaskContext } from "../context.ts";
import { commentsAfter } from "../db/comment.repository.ts";
import { onItsOwn } from "../db/queries.ts";
import { commentToProto } from "./convert.ts";

const defaultPageSize = 50;

/** TaskService.ListComments */
export const listComments =
  (ctx: TaskContext): Unary<typeof TaskService.method.listComments> =>
  async (req, call) => {
    const { task } = await readTask(ctx, call, req.taskId, "see");
    const scope = { list: "comments", taskId: task.taskId };
    const cursor = decodePageToken(ctx.pageKey, scope, req.pageToken);
    const pageSize = req.pageSize || defaultPageSize;
    const found = await commentsAfter(onItsOwn(ctx.db, call.signal), task.taskId, {
      after: cursor && { createTime: String(cursor[0]), commentId: String(cursor[1]) },
      limit: pageSize + 1,
    });
    const comments = found.slice(0, pageSize);
    const last = comments.at(-1);
    const hasMore = found.length > pageSize && last !== undefined;
    return {
      comments: comments.map(commentToProto),
      nextPageToken: hasMore
        ? encodePageToken(ctx.pageKey, scope, [last.createTime.toISOString(), last.commentId])
        : "",
    };
  };
