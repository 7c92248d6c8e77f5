import type { Notification } from "#gen/notification/v1/notification_pb.js";
import type { User } from "#gen/user/v1/user_pb.js";
import { PermanentEventError } from "#kit/events/consumer.ts";
import type { DeliveryEnd, DeliveryOrder } from "../delivery.ts";
import { languageOf } from "../language.ts";
import { linkOf } from "../link.ts";
import type { MailContext } from "./context.ts";
import { composeMail, type Letter } from "./message.ts";
import { isAddress } from "./sender.ts";

/** Sends one notification to its recipient. Throws when it makes sense to try again. */
export async function sendMail(
  ctx: MailContext,
  { deliveryId, recipientId, notification }: DeliveryOrder,
  signal: AbortSignal,
): Promise<DeliveryEnd> {
  if (notification === undefined) throw new PermanentEventError("refused");
  const people = await ctx.people.byId([recipientId], signal);
  const recipient = people.get(recipientId);
  if (recipient === undefined) return { state: "failed", failure: "recipient_unknown" };
  if (!isAddress(recipient.email)) return { state: "failed", failure: "address_invalid" };
  const receipt = await ctx.mailer.send(composeMail(letter(ctx, deliveryId, notification, recipient)), signal);
  return receipt.accepted ? { state: "sent" } : { state: "failed", failure: receipt.failure };
}

function letter(
  { from, publicUrl }: MailContext,
  deliveryId: string,
  notification: Notification,
  { email, locale }: User,
): Letter {
  const { title, body, traceId } = notification;
  return {
    deliveryId,
    from,
    to: email,
    language: languageOf(locale),
    title,
    body,
    link: linkOf(publicUrl, notification),
    traceId,
  };
}
