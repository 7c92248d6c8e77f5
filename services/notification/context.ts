import type { Database } from "#kit/db/database.ts";
import type { EventProducer } from "#kit/events/producer.ts";
import type { Redis } from "#kit/redis/redis.ts";
import { type Subscription, subscribe } from "#kit/redis/subscribe.ts";
import type { ServiceParts } from "#kit/service.ts";
import type { NotificationConfig } from "./config.ts";
import { changedInboxes } from "./events.ts";
import { Watchers } from "./watchers.ts";

/** What the handlers work with. */
export interface NotificationContext {
  readonly database: Database;
  /** Sends dead letters back to their groups. */
  readonly producer: EventProducer;
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
  { database, producer, redis, lifecycle }: Pick<ServiceParts, "database" | "producer" | "redis" | "lifecycle">,
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
    // From now on they look for themselves, more often.
    onLost: () => watchers.wakeAll(),
  });
  return {
    database,
    producer,
    redis,
    pageKey: database.key("page-token"),
    cursorKey: database.key("feed-cursor"),
    watchers,
    news,
    heartbeatMs: watch.heartbeatMs,
  };
}
