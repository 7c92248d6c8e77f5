import { LRUCache } from "lru-cache";
import { deriveKey } from "#kit/auth/sealing.ts";
import type { Database } from "#kit/db/database.ts";
import { topics } from "#kit/events/topics.ts";
import { Outbound } from "#kit/http/outbound.ts";
import type { Redis } from "#kit/redis/redis.ts";
import { PushKeys } from "../services/notification/db/push-keys.ts";
import { Webhooks } from "../services/notification/db/webhook.repository.ts";
import type { ConsumersConfig } from "./config.ts";
import type { EmailGroupContext } from "./email/context.ts";
import { mailCarrier } from "./email/group.ts";
import type { Mailer } from "./email/mailer.ts";
import type { NotificationGroupContext } from "./notification/context.ts";
import type { People } from "./people.ts";
import type { PushGroupContext } from "./push/context.ts";
import { Signatures } from "./push/signatures.ts";
import type { SchedulerGroupContext } from "./scheduler/context.ts";
import type { UrgentGroupContext } from "./urgent/context.ts";
import type { WebhookGroupContext } from "./webhook/context.ts";

/** What the groups work with; each takes its own part of it. */
export interface ConsumersContext
  extends NotificationGroupContext,
    EmailGroupContext,
    PushGroupContext,
    WebhookGroupContext,
    UrgentGroupContext,
    SchedulerGroupContext {}

export interface ConsumersParts {
  database: Database;
  redis: Redis;
  people: People;
  mailer: Mailer;
  /** The lane of alerts: connections that nothing else uses. */
  urgent: { database: Database; mailer: Mailer };
}

export function createContext(
  {
    mail,
    push,
    outbound,
    webhook,
    reminderLateSeconds,
  }: Pick<ConsumersConfig, "mail" | "push" | "outbound" | "webhook" | "reminderLateSeconds">,
  { urgent, ...parts }: ConsumersParts,
): ConsumersContext {
  const common = { ...parts, deliveryTopic: topics.deliveries, accepted: new LRUCache<string, true>({ max: 10_000 }) };
  const { from, publicUrl } = mail;
  return {
    ...common,
    from,
    publicUrl,
    urgent: { ...common, database: urgent.database },
    reminderLateSeconds,
    urgentMail: mailCarrier({ ...parts, from, publicUrl, mailer: urgent.mailer }),
    webhooks: new Webhooks(deriveKey(webhook.keySecret, "webhook")),
    webhookPatience: webhook.patience,
    outbound: new Outbound(outbound),
    pushKeys: new PushKeys(push.keyFile),
    signatures: new Signatures(push.subject),
    // RFC 8030 section 8: no push service is to be reached without TLS.
    pushServices: new Outbound({ ...outbound, allowHttp: false }),
  };
}
