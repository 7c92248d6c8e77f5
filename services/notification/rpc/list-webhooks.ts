import type { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import type { Unary } from "#kit/grpc/service.ts";
import type { NotificationContext } from "../context.ts";
import { webhookToProto } from "./convert-webhook.ts";

export const listWebhooks =
  (ctx: NotificationContext): Unary<typeof NotificationService.method.listWebhooks> =>
  async (_request, call) => {
    const found = await ctx.webhooks.list(ctx.database, call.userId, call.signal);
    return { webhooks: found.map(webhookToProto) };
  };
