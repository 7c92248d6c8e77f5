import { PermanentEventError } from "#kit/events/consumer.ts";
import { topics } from "#kit/events/topics.ts";
import { lockInboxes } from "../../services/notification/db/inbox.repository.ts";
import type { Group } from "../group.ts";
import { type Notice, putInInboxes } from "../inboxes.ts";
import type { NotificationGroupContext } from "./context.ts";
import { handlers } from "./handlers/index.ts";
import { writeNotices } from "./notices.ts";

/** Decides who hears of what happened, and puts it in their inboxes. */
export const notificationGroup = (ctx: NotificationGroupContext): Group<Notice[]> => ({
  topics: [topics.taskEvents, topics.authEvents],
  prepare: async (event) => {
    const handler = handlers[event.meta.source];
    if (handler === undefined) throw new PermanentEventError("unknown_type");
    return writeNotices(ctx, handler(event), event.signal);
  },
  eventsPerTransaction: 50,
  lockAll: (em, prepared) =>
    lockInboxes(
      em,
      prepared.flat().map(({ recipientId }) => recipientId),
    ),
  handle: async ({ meta, em, prepared }) => {
    await putInInboxes(ctx, em, meta.eventId, prepared);
  },
});
