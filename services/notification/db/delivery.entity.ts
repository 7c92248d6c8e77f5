import { defineEntity, p } from "@mikro-orm/core";
import { NotificationEntity } from "./notification.entity.ts";

export type DeliveryChannel = "email";
export type DeliveryState = "queued" | "sending" | "sent" | "failed";

/** A notification on its way over one channel. */
export const DeliveryEntity = defineEntity({
  name: "Delivery",
  tableName: "delivery",
  properties: {
    deliveryId: p.uuid().primary(),
    notification: () =>
      p.manyToOne(NotificationEntity).joinColumn("notification_id").deleteRule("cascade").updateRule("no action"),
    channel: p.text().$type<DeliveryChannel>(),
    state: p.text().$type<DeliveryState>(),
    /** How often it was taken up. */
    attempts: p.integer().default(0),
    /** Of the mail; the same at every attempt. */
    messageId: p.text().nullable(),
    /** Why it failed for good: a short name, never a server's text. */
    failure: p.text().nullable(),
    /** Until when nobody else takes it up. */
    claimExpireTime: p.datetime().columnType("timestamptz(3)").nullable(),
    createTime: p.datetime().columnType("timestamptz(3)"),
    updateTime: p.datetime().columnType("timestamptz(3)"),
    sendTime: p.datetime().columnType("timestamptz(3)").nullable(),
    traceId: p.text(),
  },
  checks: [
    { name: "delivery_state", property: "state", expression: "state in ('queued', 'sending', 'sent', 'failed')" },
  ],
  uniques: [{ name: "delivery_notification_channel", properties: ["notification", "channel"] }],
});
