import { PermanentEventError } from "#kit/events/consumer.ts";
import { isId } from "#kit/id.ts";
import type { Notice } from "../inboxes.ts";
import { languageOf } from "../language.ts";
import type { NotificationGroupContext } from "./context.ts";
import type { News } from "./news.ts";
import { noticeText } from "./templates/notice.ts";

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
