import { deliveryGroup } from "../delivery.ts";
import type { PushGroupContext } from "./context.ts";
import { sendPush } from "./send-push.ts";

/** Sends notifications to the browsers of their recipients. */
export const pushGroup = (ctx: PushGroupContext) =>
  deliveryGroup(ctx, { channel: "push", carry: (order, signal) => sendPush(ctx, order, signal) });
