import type { TaskService } from "#gen/task/v1/task_service_pb.js";
import type { Unary } from "#kit/grpc/service.ts";
import { readTask } from "../access.ts";
import type { TaskContext } from "../context.ts";
import { onItsOwn } from "../db/queries.ts";
import { remindersOf } from "../db/reminder.repository.ts";
import { reminderToProto } from "./convert.ts";

/** TaskService.ListReminders */
export const listReminders =
  (ctx: TaskContext): Unary<typeof TaskService.method.listReminders> =>
  async (req, call) => {
    const { task } = await readTask(ctx, call, req.taskId, "see");
    const reminders = await remindersOf(onItsOwn(ctx.db, call.signal), task.taskId, call.userId);
    return { reminders: reminders.map(reminderToProto) };
  };
