import type { TaskService } from "#gen/task/v1/task_service_pb.js";
import type { Unary } from "#kit/grpc/service.ts";
import type { TaskContext } from "../context.ts";
import { labelsOf } from "../db/label.repository.ts";
import { onItsOwn } from "../db/queries.ts";
import { labelToProto } from "./convert.ts";

/** TaskService.ListLabels */
export const listLabels =
  (ctx: TaskContext): Unary<typeof TaskService.method.listLabels> =>
  async (_req, call) => {
    const labels = await labelsOf(onItsOwn(ctx.db, call.signal), call.userId);
    return { labels: labels.map(labelToProto) };
  };
