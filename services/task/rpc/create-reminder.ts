import { durationMs, timestampDate } from "@bufbuild/protobuf/wkt";
import type { TaskService } from "#gen/task/v1/task_service_pb.js";
import type { Unary } from "#kit/grpc/service.ts";
import { newId } from "#kit/id.ts";
import { type LockedTask, openTask } from "../access.ts";
import type { TaskContext } from "../context.ts";
import { insertReminder, remindersOf } from "../db/reminder.repository.ts";
import { type Reminder, remindersOfPerson, toMoment } from "../domain/reminder.ts";
import { limitReached, wrongState } from "../errors.ts";
import { reminderSet } from "../events.ts";
import { reportReminderSet } from "../metrics.ts";
import { mustBeOpen, tellReminder } from "../reminder-change.ts";
import { reminderToProto } from "./convert.ts";

/** TaskService.CreateReminder */
export const createReminder =
  (ctx: TaskContext): Unary<typeof TaskService.method.createReminder> =>
  async (req, call) => {
    const createTime = ctx.clock.now();
    const before = req.before ? Math.floor(durationMs(req.before) / 1000) : null;
    const moment = toMoment({ at: req.at ? timestampDate(req.at) : null, before }, createTime);
    const reminder = await ctx.db.transactional(
      async (em): Promise<Reminder> => {
        const locked = await openTask(em, call, req.taskId, "see");
        const { run, task, memberIds } = locked;
        const written: Reminder = {
          reminderId: newId(),
          taskId: task.taskId,
          userId: call.userId,
          ...moment,
          channels: [...req.channels],
          snoozeTime: null,
          createTime,
        };
        await mustTakeOneMore(locked, written);
        await insertReminder(run, written);
        const event = reminderSet({ task, memberIds, actorId: call.userId, at: createTime }, written);
        await tellReminder(em, locked, event);
        return written;
      },
      { signal: call.signal },
    );
    reportReminderSet(reminder);
    return { reminder: reminderToProto(reminder) };
  };

async function mustTakeOneMore({ run, task }: LockedTask, { userId, before }: Reminder): Promise<void> {
  mustBeOpen({ task });
  if (before !== null && task.due === null)
    throw wrongState("the task has no due; give the reminder a time of its own");
  if ((await remindersOf(run, task.taskId, userId)).length >= remindersOfPerson) {
    throw limitReached(`at most ${remindersOfPerson} reminders of a task are possible`);
  }
}
