import type { EntityManager } from "#kit/db/database.ts";
import { PermanentEventError } from "#kit/events/consumer.ts";
import { topics } from "#kit/events/topics.ts";
import {
  lockReminders,
  moveReminders,
  putReminder,
  removeReminder,
  removeRemindersOfTask,
  type ScheduledReminder,
} from "../../services/notification/db/schedule.repository.ts";
import type { Group } from "../group.ts";
import type { SchedulerGroupContext } from "./context.ts";
import type { Change, Source } from "./domain/schedule.ts";
import { handlers, unconcerning } from "./handlers/index.ts";
import type { News, Told } from "./news.ts";
import { startScheduler } from "./scheduler.ts";

/** Keeps the schedule of reminders; one of its processes reminds people of what has come due. */
export const schedulerGroup = (ctx: SchedulerGroupContext): Group<Told> => ({
  topics: [topics.taskEvents, topics.userEvents],
  concerns: ({ meta }) => !unconcerning.has(meta.type),
  prepare: async (event) => {
    const handler = handlers[event.meta.source];
    if (handler === undefined) throw new PermanentEventError("unknown_type");
    return handler(ctx, event);
  },
  handle: ({ meta, em, prepared: { news, occurTime } }) => keep(em, news, { eventId: meta.eventId, occurTime }),
  start: (lifecycle) => startScheduler(ctx, lifecycle),
});

async function keep(em: EntityManager, news: News, source: Source): Promise<void> {
  switch (news.kind) {
    case "set":
      return putReminder(em, (await rules()).armed(news.reminder, source));
    case "removed":
      return removeReminder(em, news.reminderId);
    case "task gone": {
      const reminders = await lockReminders(em, { taskIds: [news.taskId] });
      return reminders.length === 0 ? undefined : removeRemindersOfTask(em, news.taskId);
    }
    case "task": {
      const { taskId, title: taskTitle, due, isOpen, memberIds } = news;
      const reminders = await lockReminders(em, { taskIds: [taskId] });
      const titled = reminders.map((reminder) => ({ ...reminder, taskTitle }));
      return move(em, titled, source, ({ recipientId }) => ({ due, isOpen: isOpen && memberIds.has(recipientId) }));
    }
    case "time zone": {
      const { recipientId, timeZone } = news;
      const reminders = await lockReminders(em, { recipientIds: [recipientId] });
      return move(em, reminders, source, () => ({ timeZone }));
    }
    case "nothing":
      return;
    default:
      return news satisfies never;
  }
}

async function move(
  em: EntityManager,
  reminders: readonly ScheduledReminder[],
  source: Source,
  changeOf: (reminder: ScheduledReminder) => Change,
): Promise<void> {
  if (reminders.length === 0) return;
  const { moved } = await rules();
  await moveReminders(
    em,
    reminders.map((reminder) => moved(reminder, changeOf(reminder), source)),
  );
}

/** Loaded with the first reminder: the calendar takes memory, and many meshes have none. */
const rules = () => import("./domain/schedule.ts");
