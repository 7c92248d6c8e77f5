import { type Carrier, deliveryGroup } from "../delivery.ts";
import type { EmailGroupContext, MailContext } from "./context.ts";
import { messageIdOf } from "./message.ts";
import { sendMail } from "./send-mail.ts";

/** Sends the mails of notifications. */
export const emailGroup = (ctx: EmailGroupContext) => deliveryGroup(ctx, mailCarrier(ctx));

export const mailCarrier = (ctx: MailContext): Carrier => ({
  channel: "email",
  messageId: ({ deliveryId }) => messageIdOf(deliveryId, ctx.from),
  carry: (order, signal) => sendMail(ctx, order, signal),
});
