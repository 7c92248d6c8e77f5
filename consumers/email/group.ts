import { PermanentEventError } from "#kit/events/consumer.ts";
import { topics } from "#kit/events/topics.ts";
import { deliveryFailed, deliverySent } from "../../services/notification/db/delivery.repository.ts";
import type { Group } from "../group.ts";
import type { EmailGroupContext } from "./context.ts";
import { type DeliveryEnd, deliver, tryMs } from "./deliver.ts";
import { handlers } from "./handlers/index.ts";
import { reportDelivery } from "./metrics.ts";

interface Delivered {
  deliveryId: string;
  end: DeliveryEnd;
}

/** Sends the mails of notifications, and records what became of them. */
export const emailGroup = (ctx: EmailGroupContext): Group<Delivered | undefined> => ({
  topics: [topics.deliveries],
  timeoutMs: tryMs,
  prepare: async (event) => {
    const handler = handlers[event.meta.source];
    if (handler === undefined) throw new PermanentEventError("unknown_type");
    const order = handler(event);
    return order && { deliveryId: order.deliveryId, end: await deliver(ctx, order, event.signal) };
  },
  handle: async ({ em, prepared }) => {
    if (prepared === undefined || prepared.end.state === "over") return;
    const { deliveryId, end } = prepared;
    if (end.state === "sent") await deliverySent(em, deliveryId);
    else await deliveryFailed(em, deliveryId, end.failure);
    reportDelivery(end);
  },
});
