import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import type { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import { notFound } from "#kit/errors.ts";
import type { Unary } from "#kit/grpc/service.ts";
import type { NotificationContext } from "../context.ts";
import { removePushSubscription } from "../db/push-subscription.repository.ts";

export const deletePushSubscription =
  ({ database }: NotificationContext): Unary<typeof NotificationService.method.deletePushSubscription> =>
  async ({ pushSubscriptionId }, call) => {
    const removed = await removePushSubscription(database, call.userId, pushSubscriptionId, call.signal);
    if (!removed) throw notFound(ErrorReason.PUSH_SUBSCRIPTION_NOT_FOUND, "there is no such push subscription");
    return {};
  };
