import { durationMs, timestampDate } from "@bufbuild/protobuf/wkt";
import type { Channel } from "#gen/notification/v1/notification_pb.js";
import { type ReminderSet, type TaskEvent, TaskEventSchema } from "#gen/task/v1/task_events_pb.js";
import { Status } from "#gen/task/v1/task_pb.js";
import { type IncomingEvent, PermanentEventError } from "#kit/events/consumer.ts";
import { isId } from "#kit/id.ts";
import type { DeliveryChannel } from "../../../services/notification/db/delivery.entity.ts";
import { channels } from "../../../services/notification/events.ts";
import { decodeEvent } from "../../decode.ts";
import type { SchedulerGroupContext } from "../context.ts";
import type { Due } from "../domain/fire-time.ts";
import type { Told } from "../news.ts";

export async function onTaskEvent(ctx: SchedulerGroupContext, event: IncomingEvent): Promise<Told> {
  const told = decodeEvent(TaskEventSchema, event);
  const { fact, taskId, title } = told;
  const occurTime = told.occurTime ? timestampDate(told.occurTime) : event.meta.occurTime;
  switch (fact.case) {
    case "reminderSet":
      return { news: { kind: "set", reminder: await scheduled(ctx, told, fact.value, event) }, occurTime };
    case "reminderRemoved":
      return { news: { kind: "removed", reminderId: fact.value.reminderId }, occurTime };
    case "taskDeleted":
      return { news: { kind: "task gone", taskId }, occurTime };
    default: {
      const memberIds = new Set(told.memberIds);
      return { news: { kind: "task", taskId, title, due: dueOf(told), isOpen: isOpen(told), memberIds }, occurTime };
    }
  }
}

type TaskFacts = Pick<TaskEvent, "taskId" | "title" | "due" | "status">;

async function scheduled(
  { people }: SchedulerGroupContext,
  told: TaskFacts,
  { userId, reminder }: Pick<ReminderSet, "userId" | "reminder">,
  { meta, signal }: IncomingEvent,
) {
  if (reminder === undefined || ![userId, reminder.reminderId, told.taskId].every(isId)) {
    throw new PermanentEventError("refused");
  }
  const person = (await people.byId([userId], signal)).get(userId);
  const { at, before, snoozeTime } = reminder;
  const due = dueOf(told);
  return {
    reminderId: reminder.reminderId,
    recipientId: userId,
    taskId: told.taskId,
    taskTitle: told.title,
    channels: reminder.channels.length === 0 ? null : waysOf(reminder.channels),
    at: at ? timestampDate(at) : null,
    before: before ? Math.floor(durationMs(before) / 1000) : null,
    snoozeTime: snoozeTime ? timestampDate(snoozeTime) : null,
    dueLocal: due?.local ?? null,
    dueTimeZone: due?.timeZone ?? null,
    timeZone: person?.timeZone || "UTC",
    isOpen: isOpen(told),
    sourceEventId: meta.eventId,
    fireTime: null,
    state: "idle" as const,
  };
}

/** The inbox is no way out of it. */
function waysOf(wanted: readonly Channel[]): DeliveryChannel[] {
  const ways = Object.entries(channels) as [DeliveryChannel, Channel][];
  return ways.filter(([, channel]) => wanted.includes(channel)).map(([name]) => name);
}

function dueOf({ due }: TaskFacts): Due | null {
  return due ? { local: due.date || due.dateTime, timeZone: due.timeZone || null } : null;
}

// An event of the version before does not say where its task stands.
function isOpen({ status }: TaskFacts): boolean {
  return status !== Status.DONE && status !== Status.CANCELLED;
}
