import { deliveryGroup } from "../delivery.ts";
import type { WebhookGroupContext } from "./context.ts";
import { deliverToWebhook } from "./deliver.ts";

/** Tells people's webhooks of their notifications. */
export const webhookGroup = (ctx: WebhookGroupContext) =>
  deliveryGroup(ctx, {
    channel: "webhook",
    carry: (order, signal) => deliverToWebhook(ctx, order, signal),
  });
