import type { TaskService } from "#gen/task/v1/task_service_pb.js";
import { appendOutbox } from "#kit/events/outbox.ts";
import type { Unary } from "#kit/grpc/service.ts";
import { openTask } from "../access.ts";
import type { TaskContext } from "../context.ts";
import { deleteReminder as remove } from "../db/reminder.repository.ts";
import { saveEventSequence } from "../db/task.repository.ts";
import { reminderNotFound } from "../errors.ts";
import { reminderRemoved } from "../events.ts";

/** TaskService.DeleteReminder */
export const deleteReminder =
  (ctx: TaskContext): Unary<typeof TaskService.method.deleteReminder> =>
  async (req, call) => {
    await ctx.db.transactional(
      async (em) => {
        const { run, task, memberIds } = await openTask(em, call, req.taskId, "see");
        const reminder = { reminderId: req.reminderId.toLowerCase(), taskId: task.taskId, userId: call.userId };
        if (!(await remove(run, reminder))) throw reminderNotFound();
        const event = reminderRemoved({ task, memberIds, actorId: call.userId, at: ctx.clock.now() }, reminder);
        await saveEventSequence(run, task);
        await appendOutbox(em, event);
      },
      { signal: call.signal },
    );
    return {};
  };
