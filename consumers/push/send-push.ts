import { PermanentEventError } from "#kit/events/consumer.ts";
import {
  type PushTarget,
  postponePush,
  pushReached,
  pushTargets,
  removePushSubscription,
} from "../../services/notification/db/push-subscription.repository.ts";
import type { DeliveryAgain, DeliveryEnd, DeliveryOrder } from "../delivery.ts";
import type { PushGroupContext } from "./context.ts";
import { timeToLive } from "./message.ts";
import { type PushAnswer, push } from "./push-service.ts";

/** For how long a push service can have us wait at most, in milliseconds. */
const longestWaitMs = 60 * 60 * 1000;

/** Sends a notification to every browser of its recipient that has not taken it yet. */
export async function sendPush(
  ctx: PushGroupContext,
  order: DeliveryOrder,
  signal: AbortSignal,
): Promise<DeliveryEnd | DeliveryAgain> {
  const { notification } = order;
  if (notification === undefined) throw new PermanentEventError("refused");
  if (timeToLive(notification, new Date()) <= 0) return { state: "failed", failure: "too_late" };
  const targets = await pushTargets(ctx.database, ctx.pushKeys, order, signal);
  const answers = await Promise.all(
    targets.map(async (target): Promise<PushAnswer> => {
      if (target.isReached) return { state: "taken" };
      if (target.waitMs > 0) return { state: "again", failure: "postponed" };
      const answer = await push(ctx, target, notification, signal);
      await note(ctx, order, { target, answer, isOnly: targets.length === 1 }, signal);
      return answer;
    }),
  );
  return endOf(answers, order.isLastTry);
}

interface Told {
  target: PushTarget;
  answer: PushAnswer;
  /** The end of the delivery says it all. */
  isOnly: boolean;
}

/** Remembers what one push service said before the others have answered: whatever becomes of us, it is not asked again. */
async function note(ctx: PushGroupContext, order: DeliveryOrder, told: Told, signal: AbortSignal): Promise<void> {
  const { target, answer, isOnly } = told;
  const { database } = ctx;
  if (answer.state === "taken" && !isOnly) await pushReached(database, order.deliveryId, target);
  if (answer.state === "gone") {
    await removePushSubscription(database, order.recipientId, target.pushSubscriptionId, signal);
  }
  if (answer.state === "again" && answer.afterMs !== undefined) {
    await postponePush(database, target, Math.min(answer.afterMs, longestWaitMs));
  }
}

function endOf(answers: PushAnswer[], isLastTry: boolean): DeliveryEnd | DeliveryAgain {
  const isTaken = answers.some(({ state }) => state === "taken");
  const again = answers.find((answer) => answer.state === "again");
  if (again !== undefined && !(isTaken && isLastTry)) return { state: "again", failure: again.failure };
  if (isTaken) return { state: "sent" };
  const failed = answers.find((answer) => answer.state === "failed");
  return { state: "failed", failure: failed?.failure ?? "no_subscription" };
}
