import type { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import { invalidArgument } from "#kit/errors.ts";
import { mustMatch } from "#kit/grpc/precondition.ts";
import type { Unary } from "#kit/grpc/service.ts";
import type { NotificationContext } from "../context.ts";
import { webhookEtag } from "../domain/webhook-etag.ts";
import { webhookToProto } from "./convert-webhook.ts";
import { changesOf, lockWebhook } from "./webhook-input.ts";

export const updateWebhook =
  (ctx: NotificationContext): Unary<typeof NotificationService.method.updateWebhook> =>
  async ({ webhook: given, updateMask }, call) => {
    if (!given?.webhookId) throw invalidArgument("webhook.webhook_id", "say which webhook");
    const wish = changesOf(ctx, given, updateMask?.paths);
    const changed = await ctx.database.transactional(
      async (em) => {
        const seen = await lockWebhook(ctx, em, call, given.webhookId);
        mustMatch(call, given.etag, { etag: webhookEtag(seen) });
        return ctx.webhooks.change(em, { ...seen, ...wish });
      },
      { signal: call.signal },
    );
    return { webhook: webhookToProto(changed) };
  };
