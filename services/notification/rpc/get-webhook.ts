import type { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import type { Unary } from "#kit/grpc/service.ts";
import type { NotificationContext } from "../context.ts";
import { webhookToProto } from "./convert-webhook.ts";
import { readWebhook } from "./webhook-input.ts";

export const getWebhook =
  (ctx: NotificationContext): Unary<typeof NotificationService.method.getWebhook> =>
  async ({ webhookId }, call) => ({ webhook: webhookToProto(await readWebhook(ctx, call, webhookId)) });
