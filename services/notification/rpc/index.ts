import type { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import type { ServiceImpl } from "#kit/grpc/service.ts";
import type { NotificationContext } from "../context.ts";
import { acknowledgeAlert } from "./acknowledge-alert.ts";
import { createPushSubscription } from "./create-push-subscription.ts";
import { createWebhook } from "./create-webhook.ts";
import { deletePushSubscription } from "./delete-push-subscription.ts";
import { deleteWebhook } from "./delete-webhook.ts";
import { discardDeadLetters } from "./discard-dead-letters.ts";
import { getPushKey } from "./get-push-key.ts";
import { getUnreadCount } from "./get-unread-count.ts";
import { getWebhook } from "./get-webhook.ts";
import { listAlerts } from "./list-alerts.ts";
import { listDeadLetters } from "./list-dead-letters.ts";
import { listNotifications } from "./list-notifications.ts";
import { listPushSubscriptions } from "./list-push-subscriptions.ts";
import { listWebhookDeliveries } from "./list-webhook-deliveries.ts";
import { listWebhooks } from "./list-webhooks.ts";
import { markRead } from "./mark-read.ts";
import { raiseAlert } from "./raise-alert.ts";
import { redriveDeadLetters } from "./redrive-dead-letters.ts";
import { replayWebhookDeliveries } from "./replay-webhook-deliveries.ts";
import { rotateWebhookSecret } from "./rotate-webhook-secret.ts";
import { testWebhook } from "./test-webhook.ts";
import { updateWebhook } from "./update-webhook.ts";
import { watchNotifications } from "./watch-notifications.ts";

export const rpc = (ctx: NotificationContext): ServiceImpl<typeof NotificationService> => ({
  listNotifications: listNotifications(ctx),
  markRead: markRead(ctx),
  getUnreadCount: getUnreadCount(ctx),
  watchNotifications: watchNotifications(ctx),
  getPushKey: getPushKey(ctx),
  createPushSubscription: createPushSubscription(ctx),
  listPushSubscriptions: listPushSubscriptions(ctx),
  deletePushSubscription: deletePushSubscription(ctx),
  raiseAlert: raiseAlert(ctx),
  acknowledgeAlert: acknowledgeAlert(ctx),
  listAlerts: listAlerts(ctx),
  createWebhook: createWebhook(ctx),
  listWebhooks: listWebhooks(ctx),
  getWebhook: getWebhook(ctx),
  updateWebhook: updateWebhook(ctx),
  rotateWebhookSecret: rotateWebhookSecret(ctx),
  deleteWebhook: deleteWebhook(ctx),
  testWebhook: testWebhook(ctx),
  listWebhookDeliveries: listWebhookDeliveries(ctx),
  replayWebhookDeliveries: replayWebhookDeliveries(ctx),
  listDeadLetters: listDeadLetters(ctx),
  redriveDeadLetters: redriveDeadLetters(ctx),
  discardDeadLetters: discardDeadLetters(ctx),
});
