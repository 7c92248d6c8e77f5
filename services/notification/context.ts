import { TaskService } from "#gen/task/v1/task_service_pb.js";
import { deriveKey } from "#kit/auth/sealing.ts";
import type { Database } from "#kit/db/database.ts";
import type { EventProducer } from "#kit/events/producer.ts";
import { topics } from "#kit/events/topics.ts";
import { createClient } from "#kit/grpc/client.ts";
import { OutboundRules } from "#kit/http/outbound-url.ts";
import type { Redis } from "#kit/redis/redis.ts";
import { type Subscription, subscribe } from "#kit/redis/subscribe.ts";
import type { ServiceParts } from "#kit/service.ts";
import type { NotificationConfig } from "./config.ts";
import { Contacts } from "./contacts.ts";
import type { AlertPace } from "./db/alert.repository.ts";
import { PushKeys } from "./db/push-keys.ts";
import { Webhooks } from "./db/webhook.repository.ts";
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
  /** What browsers subscribe with. */
  readonly pushKeys: PushKeys;
  /** Which endpoints of browsers may be called: RFC 8030 section 8 wants TLS. */
  readonly pushRules: OutboundRules;
  /** Which endpoints of webhooks may be called. */
  readonly outbound: OutboundRules;
  readonly webhooks: Webhooks;
  /** Where deliveries are asked for. */
  readonly deliveryTopic: string;
  /** Whom people may call for help. */
  readonly contacts: Contacts;
  readonly alertPace: AlertPace;
}

type ContextConfig = Pick<NotificationConfig, "watch" | "push" | "outbound" | "webhook" | "alertPace">;

export function createContext(
  { watch, push, outbound, webhook, alertPace }: ContextConfig,
  { database, producer, redis, channel, identity, lifecycle }: ServiceParts,
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
    pushKeys: new PushKeys(push.keyFile),
    pushRules: new OutboundRules({ ...outbound, allowHttp: false }),
    outbound: new OutboundRules(outbound),
    deliveryTopic: topics.deliveries,
    webhooks: new Webhooks(deriveKey(webhook.keySecret, "webhook")),
    contacts: new Contacts(createClient(TaskService, channel, { identity })),
    alertPace,
  };
}
