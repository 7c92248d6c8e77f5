import type { TaskService } from "#gen/task/v1/task_service_pb.js";
import type { Unary } from "#kit/grpc/service.ts";
import { readTask } from "../access.ts";
import type { TaskContext } from "../context.ts";
import { taskToProto } from "./convert.ts";

/** TaskService.GetTask */
export const getTask =
  (ctx: TaskContext): Unary<typeof TaskService.method.getTask> =>
  async (req, call) => {
    const { task } = await readTask(ctx, call, req.taskId, "see");
    return { task: taskToProto(task) };
  };
