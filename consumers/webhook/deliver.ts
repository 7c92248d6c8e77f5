import { newId } from "#kit/id.ts";
import type { WebhookState } from "../../services/notification/db/webhook.entity.ts";
import type { OpenWebhook } from "../../services/notification/db/webhook.repository.ts";
import { webhookFailed, webhookSucceeded } from "../../services/notification/db/webhook.repository.ts";
import type { DeliveryAgain, DeliveryEnd, DeliveryOrder } from "../delivery.ts";
import { putInInboxes } from "../inboxes.ts";
import { callWebhook, type Verdict } from "./call.ts";
import type { WebhookGroupContext } from "./context.ts";
import { disabledNotice } from "./notice.ts";

/** Brings one message to its webhook, if that is still wanted, and keeps account of the webhook's failures. */
export async function deliverToWebhook(
  ctx: WebhookGroupContext,
  order: DeliveryOrder,
  signal: AbortSignal,
): Promise<DeliveryEnd | DeliveryAgain> {
  const webhook = await ctx.webhooks.get(ctx.database, order.webhookId, signal);
  if (webhook?.ownerId !== order.recipientId) return { state: "failed", failure: "webhook_deleted" };
  const isTest = order.notification === undefined;
  if (webhook.state !== "enabled" && !isTest) return { state: "failed", failure: "webhook_disabled" };
  const verdict = await callWebhook(ctx, webhook, order, signal);
  if (verdict.kind === "taken") {
    if (webhook.failures > 0) await webhookSucceeded(ctx.database, webhook.webhookId);
    return { state: "sent" };
  }
  const isDisabled = await noteFailure(ctx, webhook, verdict, signal);
  if (verdict.kind === "gone") return { state: "failed", failure: "http_410" };
  // Whoever tests wants to know now, and nobody waits for a webhook that is called no more.
  const isOver = verdict.kind === "refused" || isTest || isDisabled;
  return { state: isOver ? "failed" : "again", failure: verdict.failure };
}

/** Counts the try. The one that disables the webhook tells its owner, in the same transaction. */
async function noteFailure(
  ctx: WebhookGroupContext,
  webhook: OpenWebhook,
  verdict: Verdict,
  signal: AbortSignal,
): Promise<boolean> {
  const { database, people, webhookPatience: patience } = ctx;
  const { webhookId, ownerId } = webhook;
  const isGone = verdict.kind === "gone";
  const mayEnd = isGone || webhook.failures + 1 >= patience.failures;
  const owner = mayEnd ? (await people.byId([ownerId], signal)).get(ownerId) : undefined;
  return database.transactional(
    async (em) => {
      const state: WebhookState | undefined = await webhookFailed(em, { webhookId, isGone, patience });
      if (state === undefined) return false;
      if (owner) await putInInboxes(ctx, em, newId(), [disabledNotice(webhook, state, owner.locale)]);
      return true;
    },
    { signal },
  );
}
