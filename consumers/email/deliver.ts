import { type Notification, NotificationType } from "#gen/notification/v1/notification_pb.js";
import type { User } from "#gen/user/v1/user_pb.js";
import { unavailable } from "#kit/errors.ts";
import { PermanentEventError } from "#kit/events/consumer.ts";
import { claimDelivery, releaseDelivery } from "../../services/notification/db/delivery.repository.ts";
import { languageOf } from "../language.ts";
import type { EmailGroupContext } from "./context.ts";
import { composeMail, type Letter, messageIdOf } from "./message.ts";
import { isAddress } from "./sender.ts";

/** A mail that is asked for. */
export interface MailOrder {
  deliveryId: string;
  recipientId: string;
  notification: Notification;
}

/** What became of a delivery; "over" when that had been recorded before. */
export type DeliveryEnd = { state: "sent" } | { state: "failed"; failure: string } | { state: "over" };

/** How long one try may take, in milliseconds. */
export const tryMs = 10_000;

// Longer than a try, so that it expires only for one whose process is gone.
const claimSeconds = tryMs / 1000 + 2;

/**
 * Takes up a delivery and sends its mail, outside of any transaction: no lock is held while the mail server answers.
 * Throws when it makes sense to try again; the delivery is free for that.
 */
export async function deliver(ctx: EmailGroupContext, order: MailOrder, signal: AbortSignal): Promise<DeliveryEnd> {
  const { deliveryId } = order;
  if (ctx.accepted.has(deliveryId)) return { state: "sent" };
  const messageId = messageIdOf(deliveryId, ctx.from);
  const claim = await claimDelivery(ctx.database, { deliveryId, messageId, seconds: claimSeconds, signal });
  if (claim === "over") return { state: "over" };
  if (claim === "unknown") throw new PermanentEventError("refused");
  if (claim === "taken") throw unavailable("another consumer is at this delivery");
  try {
    return await send(ctx, order, signal);
  } catch (error) {
    // Should this fail too, the claim expires by itself.
    await releaseDelivery(ctx.database, deliveryId).catch(() => {});
    throw error;
  }
}

async function send(ctx: EmailGroupContext, order: MailOrder, signal: AbortSignal): Promise<DeliveryEnd> {
  const people = await ctx.people.byId([order.recipientId], signal);
  const recipient = people.get(order.recipientId);
  if (recipient === undefined) return { state: "failed", failure: "recipient_unknown" };
  if (!isAddress(recipient.email)) return { state: "failed", failure: "address_invalid" };
  const receipt = await ctx.mailer.send(composeMail(letter(ctx, order, recipient)), signal);
  if (!receipt.accepted) return { state: "failed", failure: receipt.failure };
  ctx.accepted.set(order.deliveryId, true);
  return { state: "sent" };
}

function letter({ from, publicUrl }: EmailGroupContext, order: MailOrder, { email, locale }: User): Letter {
  const { title, body, taskId, type, traceId } = order.notification;
  const home = `${publicUrl.replace(/\/+$/, "")}/`;
  const hasTask = taskId !== "" && type !== NotificationType.TASK_DELETED;
  return {
    deliveryId: order.deliveryId,
    from,
    to: email,
    language: languageOf(locale),
    title,
    body,
    link: hasTask ? { url: `${home}tasks/${encodeURIComponent(taskId)}`, kind: "task" } : { url: home, kind: "home" },
    traceId,
  };
}
