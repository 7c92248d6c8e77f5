import type { TaskService } from "#gen/task/v1/task_service_pb.js";
import { decodePageToken, encodePageToken } from "#kit/db/page-token.ts";
import type { Unary } from "#kit/grpc/service.ts";
import { readTask } from "../access.ts";
import type { TaskContext } from "../context.ts";
import { activityBefore } from "../db/activity.repository.ts";
import { onItsOwn } from "../db/queries.ts";
import { activityToProto } from "./convert.ts";

const defaultPageSize = 50;
/** Nothing happens to a task before it is there, but the clocks of two instances may differ. */
const clocksDifferMs = 3_600_000;

/** TaskService.ListTaskActivity */
export const listTaskActivity =
  (ctx: TaskContext): Unary<typeof TaskService.method.listTaskActivity> =>
  async (req, call) => {
    const { task } = await readTask(ctx, call, req.taskId, "see");
    const scope = { list: "activity", taskId: task.taskId };
    const cursor = decodePageToken(ctx.pageKey, scope, req.pageToken);
    const pageSize = req.pageSize || defaultPageSize;
    const found = await activityBefore(onItsOwn(ctx.db, call.signal), task.taskId, {
      since: new Date(task.createTime.getTime() - clocksDifferMs),
      before: cursor && { occurTime: String(cursor[0]), sequence: String(cursor[1]) },
      limit: pageSize + 1,
    });
    const activities = found.slice(0, pageSize);
    const last = activities.at(-1);
    const hasMore = found.length > pageSize && last !== undefined;
    return {
      activities: activities.map(activityToProto),
      nextPageToken: hasMore
        ? encodePageToken(ctx.pageKey, scope, [last.occurTime.toISOString(), String(last.sequence)])
        : "",
    };
  };
