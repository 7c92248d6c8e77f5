import { durationMs, timestampDate } from "@bufbuild/protobuf/wkt";
import type { TaskService } from "#gen/task/v1/task_service_pb.js";
import type { Unary } from "#kit/grpc/service.ts";
import { openTask } from "../access.ts";
import type { TaskContext } from "../context.ts";
import { remindersOf, snoozeReminder as saveSnooze } from "../db/reminder.repository.ts";
import { type Reminder, toSnoozeTime } from "../domain/reminder.ts";
import { reminderNotFound } from "../errors.ts";
import { reminderSet } from "../events.ts";
import { reportReminderSet } from "../metrics.ts";
import { mustBeOpen, tellReminder } from "../reminder-change.ts";
import { reminderToProto } from "./convert.ts";

/** TaskService.SnoozeReminder */
export const snoozeReminder =
  (ctx: TaskContext): Unary<typeof TaskService.method.snoozeReminder> =>
  async (req, call) => {
    const now = ctx.clock.now();
    const until = req.until ? timestampDate(req.until) : null;
    const seconds = req.duration ? Math.ceil(durationMs(req.duration) / 1000) : null;
    const snoozeTime = toSnoozeTime({ until, seconds }, now);
    const reminder = await ctx.db.transactional(
      async (em): Promise<Reminder> => {
        const locked = await openTask(em, call, req.taskId, "see");
        const { run, task, memberIds } = locked;
        const own = await remindersOf(run, task.taskId, call.userId);
        const found = own.find(({ reminderId }) => reminderId === req.reminderId.toLowerCase());
        if (found === undefined) throw reminderNotFound();
        mustBeOpen(locked);
        const snoozed = { ...found, snoozeTime };
        await saveSnooze(run, snoozed);
        const event = reminderSet({ task, memberIds, actorId: call.userId, at: now }, snoozed);
        await tellReminder(em, locked, event);
        return snoozed;
      },
      { signal: call.signal },
    );
    reportReminderSet(reminder);
    return { reminder: reminderToProto(reminder) };
  };
