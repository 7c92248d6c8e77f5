import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  NotificationService,
  WatchNotificationsResponseSchema,
} from "#gen/notification/v1/notification_service_pb.js";
import { decodePageToken, encodePageToken } from "#kit/db/page-token.ts";
import { invalidArgument, type ServiceError } from "#kit/errors.ts";
import type { ServerStreaming } from "#kit/grpc/service.ts";
import type { NotificationContext } from "../context.ts";
import { type Change, type FeedPage, readChanges } from "../db/feed.repository.ts";
import { watchEnded, watchStarted } from "../metrics.ts";
import type { Watcher } from "../watchers.ts";
import { notificationToProto } from "./convert.ts";

type Message = Exclude<MessageInitShape<typeof WatchNotificationsResponseSchema>, { $typeName: string }>;

const pageSize = 100;
// How late a change may be told while nobody announces changes.
const pollAloneMs = 1_000;

export const watchNotifications = (
  ctx: NotificationContext,
): ServerStreaming<typeof NotificationService.method.watchNotifications> =>
  async function* ({ cursor }, { userId, signal }) {
    const cursors = cursorsOf(ctx, userId);
    const resumed = cursors.read(cursor);
    const watcher = ctx.watchers.open(userId);
    watchStarted();
    try {
      const now = await readChanges(ctx.database, { recipientId: userId, after: 0n, limit: 0 }, signal);
      if (resumed !== undefined && resumed > now.head) throw unknownCursor();
      const after = resumed ?? now.head;
      yield messageOf(now, cursors.write(after));
      for await (const { page, revision, change } of changesOf(ctx, watcher, { recipientId: userId, after, signal })) {
        yield messageOf(page, cursors.write(revision), change);
      }
    } finally {
      watcher.close();
      watchEnded();
    }
  };

interface Place {
  recipientId: string;
  after: bigint;
  signal: AbortSignal;
}

interface Told {
  page: FeedPage;
  /** How far this goes. */
  revision: bigint;
  /** Missing in a sign of life. */
  change?: Change;
}

/** Every change behind a revision, in order and for ever. Nothing is read ahead of what has been taken but one page. */
async function* changesOf(
  { database, news, heartbeatMs }: NotificationContext,
  watcher: Watcher,
  { recipientId, after, signal }: Place,
): AsyncGenerator<Told> {
  let revision = after;
  for (let lastTold = performance.now(); ; ) {
    watcher.forget();
    const page = await readChanges(database, { recipientId, after: revision, limit: pageSize }, signal);
    for (const change of page.changes) {
      revision = change.revision;
      yield { page, revision, change };
    }
    if (page.changes.length > 0) lastTold = performance.now();
    const quietMs = lastTold + heartbeatMs - performance.now();
    if (quietMs <= 0) {
      yield { page, revision };
      lastTold = performance.now();
    } else if (page.changes.length < pageSize) {
      await watcher.wait(news.isLive ? quietMs : Math.min(quietMs, pollAloneMs), signal);
    }
  }
}

function messageOf({ unreadCount, head }: FeedPage, cursor: string, change?: Change): Message {
  const message: Message = { cursor, unreadCount, revision: head };
  if (change !== undefined) message.change = { case: change.kind, value: notificationToProto(change.entry) };
  return message;
}

/** A cursor is a revision that the service alone can make, and good for one inbox. */
function cursorsOf({ cursorKey }: NotificationContext, recipientId: string) {
  const scope = { recipientId };
  return {
    write: (revision: bigint) => encodePageToken(cursorKey, scope, [String(revision)]),
    read: (cursor: string): bigint | undefined => {
      try {
        const [revision] = decodePageToken(cursorKey, scope, cursor) ?? [];
        return revision === undefined ? undefined : BigInt(String(revision));
      } catch {
        throw unknownCursor();
      }
    },
  };
}

function unknownCursor(): ServiceError {
  return invalidArgument("cursor", "not a cursor of this inbox; leave it out to begin from now on");
}
