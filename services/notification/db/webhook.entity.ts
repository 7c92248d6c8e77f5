import { defineEntity, p } from "@mikro-orm/core";
import type { NotificationKind } from "./notification.entity.ts";

export type WebhookState = "enabled" | "disabled" | "failing" | "gone";

/** An endpoint of a person that is told of their notifications. */
export const WebhookEntity = defineEntity({
  name: "Webhook",
  tableName: "webhook",
  properties: {
    webhookId: p.uuid().primary(),
    ownerId: p.uuid(),
    displayName: p.text(),
    /** Sealed: a URL may carry credentials. */
    url: p.blob(),
    /** Sealed: 24 bytes or more that sign what is sent. */
    secret: p.blob(),
    /** The secret before, sealed; it signs, too, until its time is over. */
    oldSecret: p.blob().nullable(),
    oldSecretExpireTime: p.datetime().columnType("timestamptz(3)").nullable(),
    /** What it is told of; empty for everything. */
    kinds: p.array<NotificationKind>().columnType("text[]"),
    /** "disabled" by its owner, "failing" when it failed for too long, "gone" when it said so. */
    state: p.text().$type<WebhookState>(),
    /** Tries that failed since the last one that did not, and since when. */
    failures: p.integer().default(0),
    failingSince: p.datetime().columnType("timestamptz(3)").nullable(),
    version: p.integer().default(1),
    createTime: p.datetime().columnType("timestamptz(3)"),
    updateTime: p.datetime().columnType("timestamptz(3)"),
  },
  checks: [
    { name: "webhook_state", property: "state", expression: "state in ('enabled', 'disabled', 'failing', 'gone')" },
  ],
  indexes: [{ name: "webhook_owner", properties: ["ownerId", "webhookId"] }],
});
