import { defineEntity, p } from "@mikro-orm/core";

/** A browser of a person that takes notifications by Web Push. */
export const PushSubscriptionEntity = defineEntity({
  name: "PushSubscription",
  tableName: "push_subscription",
  properties: {
    pushSubscriptionId: p.uuid().primary(),
    recipientId: p.uuid(),
    /** SHA-256 of the endpoint, by which a browser is known again. */
    endpointHash: p.blob(),
    /** SHA-256 of endpoint and keys: who knows all of them has the browser. */
    browserHash: p.blob(),
    /** Endpoint and keys, encrypted by a key that follows from the push key. */
    sealed: p.blob(),
    /** The public part of the key that the browser subscribed with. */
    pushKey: p.text(),
    /** Until when its push service wants to be left alone. */
    retryTime: p.datetime().columnType("timestamptz(3)").nullable(),
    expireTime: p.datetime().columnType("timestamptz(3)").nullable(),
    createTime: p.datetime().columnType("timestamptz(3)"),
  },
  uniques: [{ name: "push_subscription_browser", properties: ["recipientId", "endpointHash"] }],
  indexes: [{ name: "push_subscription_browser_hash", properties: ["browserHash"] }],
});
