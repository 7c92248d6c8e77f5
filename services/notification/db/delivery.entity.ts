import { defineEntity, p } from "@mikro-orm/core";
import { NotificationEntity } from "./notification.entity.ts";

export const deliveryChannels = ["email", "webhook", "push"] as const;
export type DeliveryChannel = (typeof deliveryChannels)[number];
export type DeliveryState = "queued" | "sending" | "sent" | "failed";

/** A notification on its way over one channel. */
export const DeliveryEntity = defineEntity({
  name: "Delivery",
  tableName: "delivery",
  properties: {
    deliveryId: p.uuid().primary(),
    /** Empty for the test of a webhook. */
    notification: () =>
      p
        .manyToOne(NotificationEntity)
        .joinColumn("notification_id")
        .nullable()
        .deleteRule("cascade")
        .updateRule("no action"),
    channel: p.text().$type<DeliveryChannel>(),
    /** Where to, when the channel is a webhook; one that was deleted since stays named. */
    webhookId: p.uuid().nullable(),
    /** The sequence of the recipient's DeliveryEvent that asked for it first. */
    sequence: p.bigint("bigint").nullable(),
    state: p.text().$type<DeliveryState>(),
    /** How often it was taken up. */
    attempts: p.integer().default(0),
    /** The browsers that have taken it, where its recipient has several. */
    reached: p.array().columnType("uuid[]").nullable(),
    /** Of the mail; the same at every attempt. */
    messageId: p.text().nullable(),
    /** Why it failed, for good or the last time that it was tried: a short name, never a server's text. */
    failure: p.text().nullable(),
    /** Until when nobody else takes it up. */
    claimExpireTime: p.datetime().columnType("timestamptz(3)").nullable(),
    createTime: p.datetime().columnType("timestamptz(3)"),
    updateTime: p.datetime().columnType("timestamptz(3)"),
    sendTime: p.datetime().columnType("timestamptz(3)").nullable(),
    traceId: p.text(),
  },
  checks: [
    { name: "delivery_target", expression: "(webhook_id is not null) = (channel = 'webhook')" },
    { name: "delivery_notified", expression: "notification_id is not null or channel = 'webhook'" },
    { name: "delivery_state", property: "state", expression: "state in ('queued', 'sending', 'sent', 'failed')" },
  ],
  indexes: [
    {
      name: "delivery_notification_channel",
      expression:
        "create unique index delivery_notification_channel on delivery (notification_id, channel) where webhook_id is null",
    },
    {
      name: "delivery_notification_webhook",
      expression:
        "create unique index delivery_notification_webhook on delivery (notification_id, webhook_id) where webhook_id is not null",
    },
    {
      name: "delivery_webhook",
      expression: "create index delivery_webhook on delivery (webhook_id, sequence) where webhook_id is not null",
    },
  ],
});
