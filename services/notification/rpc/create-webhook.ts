import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import type { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import { Webhook_State } from "#gen/notification/v1/webhook_pb.js";
import { invalidArgument, ServiceError } from "#kit/errors.ts";
import type { Unary } from "#kit/grpc/service.ts";
import type { NotificationContext } from "../context.ts";
import { lockInboxes } from "../db/inbox.repository.ts";
import { maxWebhooks } from "../db/webhook.repository.ts";
import { newSecret, secretText } from "../domain/webhook-secret.ts";
import { kindsFromProto, webhookToProto } from "./convert-webhook.ts";
import { urlOf, wishedState } from "./webhook-input.ts";

export const createWebhook =
  (ctx: NotificationContext): Unary<typeof NotificationService.method.createWebhook> =>
  async ({ webhook: given }, call) => {
    if (given === undefined) throw invalidArgument("webhook", "say what to call");
    const { userId } = call;
    const wish = {
      ownerId: userId,
      displayName: given.displayName,
      url: urlOf(ctx, given.url),
      kinds: kindsFromProto(given.types),
      state: given.state === Webhook_State.UNSPECIFIED ? ("enabled" as const) : wishedState(given.state),
    };
    const secret = newSecret();
    const made = await ctx.database.transactional(
      async (em) => {
        await lockInboxes(em, [userId]);
        return ctx.webhooks.add(em, wish, secret);
      },
      { signal: call.signal },
    );
    if (made === undefined) {
      const message = `a person has at most ${maxWebhooks} webhooks; delete one first`;
      throw new ServiceError({ reason: ErrorReason.LIMIT_REACHED, message });
    }
    return { webhook: webhookToProto(made), secret: secretText(secret) };
  };
