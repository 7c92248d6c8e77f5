import type { Database } from "#kit/db/database.ts";
import type { Lifecycle } from "#kit/lifecycle.ts";
import type { Redis } from "#kit/redis/redis.ts";
import { type Subscription, subscribe } from "#kit/redis/subscribe.ts";
import type { NotificationConfig } from "./config.ts";
import { changedInboxes } from "./events.ts";
import { Watchers } from "./watchers.ts";

/** What the handlers work with. */
export interface NotificationContext {
  readonly database: Database;
  /** Announces changed inboxes. */
  readonly redis: Redis;
  /** Signs the tokens of the list's pages. */
  readonly pageKey: Uint8Array;
  /** Signs the cursors of the streams. */
  readonly cursorKey: Uint8Array;
  readonly watchers: Watchers;
  /** Whether changes of inboxes are announced to the watchers just now. */
  readonly news: Subscription;
  /** How long a stream may be silent. */
  readonly heartbeatMs: number;
}

export function createContext(
  { watch }: Pick<NotificationConfig, "watch">,
  { database, redis, lifecycle }: { database: Database; redis: Redis; lifecycle: Lifecycle },
): NotificationContext {
  const watchers = new Watchers(watch.limits);
  const news = subscribe({
    redis,
    channel: changedInboxes,
    lifecycle,
    onMessage: (recipientIds) => {
      for (const recipientId of recipientIds.split(",")) watchers.wake(recipientId);
    },
    onSubscribed: () => watchers.wakeAll(),
  });
  return {
    database,
    redis,
    pageKey: database.key("page-token"),
    cursorKey: database.key("feed-cursor"),
    watchers,
    news,
    heartbeatMs: watch.heartbeatMs,
  };
}
