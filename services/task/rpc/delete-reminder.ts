import type { TaskService } from "#gen/task/v1/task_service_pb.js";
import type { Unary } from "#kit/grpc/service.ts";
import { openTask } from "../access.ts";
import type { TaskContext } from "../context.ts";
import { deleteReminder as remove } from "../db/reminder.repository.ts";
import { reminderNotFound } from "../errors.ts";
import { reminderRemoved } from "../events.ts";
import { tellReminder } from "../reminder-change.ts";

/** TaskService.DeleteReminder */
export const deleteReminder =
  (ctx: TaskContext): Unary<typeof TaskService.method.deleteReminder> =>
  async (req, call) => {
    await ctx.db.transactional(
      async (em) => {
        const locked = await openTask(em, call, req.taskId, "see");
        const { run, task, memberIds } = locked;
        const reminder = { reminderId: req.reminderId.toLowerCase(), taskId: task.taskId, userId: call.userId };
        if (!(await remove(run, reminder))) throw reminderNotFound();
        const event = reminderRemoved({ task, memberIds, actorId: call.userId, at: ctx.clock.now() }, reminder);
        await tellReminder(em, locked, event);
      },
      { signal: call.signal },
    );
    return {};
  };
