import type { TaskService } from "#gen/task/v1/task_service_pb.js";
import { decodePageToken, encodePageToken } from "#kit/db/page-token.ts";
import type { Unary } from "#kit/grpc/service.ts";
import type { TaskContext } from "../context.ts";
import { listTasks as findTasks, firstFilterParameter } from "../db/task-list.ts";
import { toCondition } from "../domain/filter/condition.ts";
import { toSortKeys } from "../domain/filter/order.ts";
import { taskToProto } from "./convert.ts";

const defaultPageSize = 50;

/** TaskService.ListTasks */
export const listTasks =
  (ctx: TaskContext): Unary<typeof TaskService.method.listTasks> =>
  async (req, call) => {
    const { filter, orderBy } = req;
    const condition = toCondition(filter, firstFilterParameter);
    const sortKeys = toSortKeys(orderBy);
    const scope = { list: "tasks", userId: call.userId, filter, orderBy };
    const after = decodePageToken(ctx.pageKey, scope, req.pageToken)?.map(String);
    const pageSize = req.pageSize || defaultPageSize;

    const found = await findTasks(
      ctx.db,
      { userId: call.userId, condition, sortKeys, after, limit: pageSize + 1 },
      call.signal,
    );

    const page = found.slice(0, pageSize);
    const last = page.at(-1);
    const hasMore = found.length > pageSize && last !== undefined;
    return {
      tasks: page.map(({ task }) => taskToProto(task)),
      nextPageToken: hasMore ? encodePageToken(ctx.pageKey, scope, last.cursor) : "",
    };
  };
