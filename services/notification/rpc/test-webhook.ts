import type { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import type { Unary } from "#kit/grpc/service.ts";
import { activeTraceId } from "#observability/tracing.ts";
import type { NotificationContext } from "../context.ts";
import { lockInboxes } from "../db/inbox.repository.ts";
import { addTestDelivery } from "../db/webhook-delivery.repository.ts";
import { deliveriesRequested } from "../events.ts";
import { webhookDeliveryToProto } from "./convert-webhook.ts";
import { lockWebhook } from "./webhook-input.ts";

export const testWebhook =
  (ctx: NotificationContext): Unary<typeof NotificationService.method.testWebhook> =>
  async ({ webhookId }, call) => {
    const delivery = await ctx.database.transactional(
      async (em) => {
        await lockInboxes(em, [call.userId]);
        await lockWebhook(ctx, em, call, webhookId);
        const { userId: ownerId } = call;
        const added = await addTestDelivery(em, { ownerId, webhookId, traceId: activeTraceId() ?? "" });
        const order = {
          ...added,
          channel: "webhook",
          webhookId,
          recipientId: ownerId,
          notification: undefined,
        } as const;
        await deliveriesRequested(em, [order], ctx.deliveryTopic);
        return added;
      },
      { signal: call.signal },
    );
    return { webhookDelivery: webhookDeliveryToProto(delivery) };
  };
