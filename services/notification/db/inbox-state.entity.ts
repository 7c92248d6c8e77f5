import { defineEntity, p } from "@mikro-orm/core";

/** What is known of a whole inbox; changes in the transaction that changes the inbox. */
export const InboxStateEntity = defineEntity({
  name: "InboxState",
  tableName: "inbox_state",
  properties: {
    recipientId: p.uuid().primary(),
    unreadCount: p.integer().default(0),
    /** Grows with every change of the inbox. */
    revision: p.bigint("bigint").defaultRaw("0"),
    /** The sequence of the recipient's last DeliveryEvent. */
    deliverySequence: p.bigint("bigint").defaultRaw("0"),
  },
  checks: [{ name: "inbox_state_unread_count", expression: "unread_count >= 0" }],
});
