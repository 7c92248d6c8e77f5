import type { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import type { Unary } from "#kit/grpc/service.ts";
import type { NotificationContext } from "../context.ts";
import { pushSubscriptionsOf } from "../db/push-subscription.repository.ts";
import { pushSubscriptionToProto } from "./convert.ts";

export const listPushSubscriptions =
  ({ database, pushKeys }: NotificationContext): Unary<typeof NotificationService.method.listPushSubscriptions> =>
  async (_request, call) => {
    const found = await pushSubscriptionsOf(database, pushKeys, call.userId, call.signal);
    return { pushSubscriptions: found.map((row) => pushSubscriptionToProto(row, row.browser)) };
  };
