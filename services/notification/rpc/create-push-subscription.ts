import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import type { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import type { CreatePushSubscriptionRequest } from "#gen/notification/v1/push_subscription_pb.js";
import { invalidArgument, ServiceError } from "#kit/errors.ts";
import type { Unary } from "#kit/grpc/service.ts";
import type { NotificationContext } from "../context.ts";
import { lockInboxes } from "../db/inbox.repository.ts";
import { type Browser, putPushSubscription } from "../db/push-subscription.repository.ts";
import { maxPushSubscriptions, normalizedKeys } from "../domain/browser-keys.ts";
import { pushSubscriptionToProto } from "./convert.ts";

export const createPushSubscription =
  (ctx: NotificationContext): Unary<typeof NotificationService.method.createPushSubscription> =>
  async (request, call) => {
    const { database, pushKeys } = ctx;
    const browser = browserOf(ctx, request);
    const key = request.pushKey === "" ? pushKeys.newest() : pushKeys.get(withoutPadding(request.pushKey));
    if (key === undefined) throw invalidArgument("push_key", "must be a key that GetPushKey answered");
    const expireTime = request.expirationTime === 0 ? null : new Date(request.expirationTime);
    const made = await database.transactional(
      async (em) => {
        await lockInboxes(em, [call.userId]);
        return putPushSubscription(em, pushKeys, { recipientId: call.userId, browser, key, expireTime });
      },
      { signal: call.signal },
    );
    if (made === undefined) {
      const message = `a person has at most ${maxPushSubscriptions} push subscriptions; delete one first`;
      throw new ServiceError({ reason: ErrorReason.LIMIT_REACHED, message });
    }
    return { pushSubscription: pushSubscriptionToProto(made, browser) };
  };

function browserOf(
  { pushRules }: NotificationContext,
  { endpoint, keys: given }: CreatePushSubscriptionRequest,
): Browser {
  const url = pushRules.read(endpoint);
  if (typeof url === "string") throw invalidArgument("endpoint", "must be a URL with https at a public address");
  const keys = given && normalizedKeys(given);
  if (keys === undefined) throw invalidArgument("keys.p256dh", "must be a point on P-256");
  return { endpoint: url.href, keys };
}

function withoutPadding(key: string): string {
  return key.replace(/=+$/, "");
}
