import type { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import type { Unary } from "#kit/grpc/service.ts";
import type { NotificationContext } from "../context.ts";
import { newSecret, secretText } from "../domain/webhook-secret.ts";
import { lockWebhook } from "./webhook-input.ts";

export const rotateWebhookSecret =
  (ctx: NotificationContext): Unary<typeof NotificationService.method.rotateWebhookSecret> =>
  async ({ webhookId }, call) => {
    const secret = newSecret();
    await ctx.database.transactional(
      async (em) => {
        await lockWebhook(ctx, em, call, webhookId);
        await ctx.webhooks.rotate(em, webhookId, secret);
      },
      { signal: call.signal },
    );
    return { secret: secretText(secret) };
  };
