import type { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import { mustMatch } from "#kit/grpc/precondition.ts";
import type { Unary } from "#kit/grpc/service.ts";
import type { NotificationContext } from "../context.ts";
import { removeWebhook } from "../db/webhook.repository.ts";
import { webhookEtag } from "../domain/webhook-etag.ts";
import { lockWebhook } from "./webhook-input.ts";

export const deleteWebhook =
  (ctx: NotificationContext): Unary<typeof NotificationService.method.deleteWebhook> =>
  async ({ webhookId, etag }, call) => {
    await ctx.database.transactional(
      async (em) => {
        const seen = await lockWebhook(ctx, em, call, webhookId);
        mustMatch(call, etag, { etag: webhookEtag(seen) });
        await removeWebhook(em, webhookId);
      },
      { signal: call.signal },
    );
    return {};
  };
