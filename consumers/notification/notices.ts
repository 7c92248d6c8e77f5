import type { EntityManager } from "#kit/db/database.ts";
import { PermanentEventError } from "#kit/events/consumer.ts";
import { isId, newId } from "#kit/id.ts";
import { activeTraceId } from "#observability/tracing.ts";
import { addToInboxes, type NewEntry } from "../../services/notification/db/inbox.repository.ts";
import { announceInboxes, deliveriesRequested } from "../../services/notification/events.ts";
import { languageOf } from "../language.ts";
import type { NotificationGroupContext } from "./context.ts";
import { reportCreated } from "./metrics.ts";
import type { News } from "./news.ts";
import { noticeText } from "./templates/notice.ts";

/** A notification as it will stand in its recipient's inbox. */
export type Notice = Omit<NewEntry, "notificationId" | "deliveryId"> & { taskId: string | undefined };

/** Writes a notice for everybody who hears of the news and has a profile, each in the reader's language. */
export async function writeNotices(
  { people }: Pick<NotificationGroupContext, "people">,
  { hearers, actorId, taskId, subject }: News,
  signal: AbortSignal,
): Promise<Notice[]> {
  if (hearers.length === 0) return [];
  const ids = [...hearers.map(({ recipientId }) => recipientId), ...(actorId ? [actorId] : [])];
  if (![...ids, ...(taskId ? [taskId] : [])].every(isId)) throw new PermanentEventError("refused");
  const profiles = await people.byId(ids, signal);
  const actor = profiles.get(actorId ?? "")?.displayName ?? "";
  return hearers.flatMap(({ recipientId, kind }) => {
    const reader = profiles.get(recipientId);
    if (reader === undefined) return [];
    return [{ recipientId, kind, taskId, ...noticeText(kind, languageOf(reader.locale), { ...subject, actor }) }];
  });
}

/** Puts the notices of one event in their inboxes and asks for their mails; those that are there already stay alone. */
export async function putInInboxes(
  { deliveryTopic, database, redis }: Pick<NotificationGroupContext, "deliveryTopic" | "database" | "redis">,
  em: EntityManager,
  eventId: string,
  notices: Notice[],
): Promise<void> {
  const [first] = notices;
  if (first === undefined) return;
  const source = { eventId, taskId: first.taskId, channel: "email", traceId: activeTraceId() ?? "" } as const;
  const entries = new Map(
    notices.map((notice) => {
      const entry: NewEntry = { ...notice, notificationId: newId(), deliveryId: newId() };
      return [entry.notificationId, entry];
    }),
  );
  const added = await addToInboxes(em, source, [...entries.values()]);
  const requested = added.flatMap((place) => {
    const entry = entries.get(place.notificationId);
    return entry === undefined ? [] : [{ ...entry, ...place }];
  });
  await deliveriesRequested(em, source, requested, deliveryTopic);
  const changed = requested.map(({ recipientId }) => recipientId);
  database.afterCommit(() => {
    announceInboxes(redis, changed);
    reportCreated(changed.length);
  }, em);
}
