import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import type { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import type { ReplayWebhookDeliveriesRequest } from "#gen/notification/v1/webhook_pb.js";
import type { EntityManager } from "#kit/db/database.ts";
import { notFound, ServiceError } from "#kit/errors.ts";
import type { Unary } from "#kit/grpc/service.ts";
import type { NotificationContext } from "../context.ts";
import { lockInboxes } from "../db/inbox.repository.ts";
import {
  deliveriesBehind,
  findWebhookDelivery,
  requeueDeliveries,
  type WholeDelivery,
} from "../db/webhook-delivery.repository.ts";
import { deliveriesRequested, type RequestedDelivery } from "../events.ts";
import { notificationToProto } from "./convert.ts";
import { lockWebhook } from "./webhook-input.ts";

const most = 1000;

export const replayWebhookDeliveries =
  (ctx: NotificationContext): Unary<typeof NotificationService.method.replayWebhookDeliveries> =>
  async (request, call) => {
    const { webhookId } = request;
    const { userId } = call;
    return ctx.database.transactional(
      async (em) => {
        await lockInboxes(em, [userId]);
        const { state } = await lockWebhook(ctx, em, call, webhookId);
        if (state !== "enabled") throw disabled();
        const chosen = await choose(em, request);
        if (chosen === undefined) throw unknownDelivery();
        const page = chosen.slice(0, most);
        const byId = new Map(page.map((delivery) => [delivery.deliveryId, delivery]));
        const requeued = await requeueDeliveries(em, userId, [...byId.keys()]);
        const orders = requeued.map((place): RequestedDelivery => {
          const { notification } = byId.get(place.deliveryId) as WholeDelivery;
          const message = notification && notificationToProto(notification);
          return { ...place, channel: "webhook", webhookId, recipientId: userId, notification: message };
        });
        await deliveriesRequested(em, orders, ctx.deliveryTopic);
        return {
          replayedCount: orders.length,
          nextAfterWebhookDeliveryId: chosen.length > most ? (page.at(-1)?.deliveryId ?? "") : "",
        };
      },
      { signal: call.signal },
    );
  };

/** One more than a call takes, to see whether there are more; undefined when the delivery is none of the webhook's. */
async function choose(
  em: EntityManager,
  { webhookId, which }: ReplayWebhookDeliveriesRequest,
): Promise<WholeDelivery[] | undefined> {
  const deliveryId = which.value ?? "";
  if (which.case === "afterWebhookDeliveryId") {
    return deliveriesBehind(em, { webhookId, deliveryId, limit: most + 1 });
  }
  const found = await findWebhookDelivery(em, webhookId, deliveryId);
  return found && [found];
}

function unknownDelivery() {
  return notFound(ErrorReason.WEBHOOK_DELIVERY_NOT_FOUND, "no such delivery of this webhook");
}

function disabled() {
  return new ServiceError({ reason: ErrorReason.WEBHOOK_DISABLED, message: "enable the webhook first" });
}
