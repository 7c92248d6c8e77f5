import { lockInboxes } from "../../../services/notification/db/inbox.repository.ts";
import { putPushSubscription } from "../../../services/notification/db/push-subscription.repository.ts";
import { type PushService, type SubscribedBrowser, startPushService } from "../../_util/push-service.ts";
import { until } from "../../_util/until.ts";
import { openStack, type Stack, taskEvent } from "./stack.ts";

export interface PushDelivery {
  state: string;
  attempts: number;
  failure: string | null;
}

/** The groups that make pushes, and a push service with browsers. */
export async function openPushStage(name: string, keyFile?: string) {
  const [service, stack] = await Promise.all([startPushService(), openStack(name, undefined, keyFile)]);
  return {
    service,
    stack,
    /** A browser of this person that takes notifications, made with the newest key. */
    subscribe: (recipientId: string) => subscribe({ service, stack }, recipientId),
    assign: (recipientId: string, title: string) => stack.publish([assigned(stack, recipientId, title)]),
    deliveries: (recipientId: string) => deliveriesTo(stack, recipientId),
    /** The pushes to somebody once so many are over. */
    over: (recipientId: string, count = 1) =>
      until(`${count} pushes to be over`, async () => {
        const rows = await deliveriesTo(stack, recipientId);
        const isOver = rows.length === count && rows.every(({ state }) => state === "sent" || state === "failed");
        return isOver ? rows : undefined;
      }),
    subscriptions: (recipientId: string) =>
      stack.database.query<{ sealed: Buffer; retry_time: Date | null }>(
        "SELECT sealed, retry_time FROM push_subscription WHERE recipient_id = $1",
        [recipientId],
        { name: "test-subscriptions" },
      ),
    close: async () => {
      await stack.close();
      await service.close();
    },
  };
}

export type PushStage = Awaited<ReturnType<typeof openPushStage>>;

/** Makes a browser of this person that takes notifications, with the newest key. */
export async function subscribe(
  { service, stack }: { service: PushService; stack: Stack },
  recipientId: string,
): Promise<SubscribedBrowser> {
  const { pushKeys } = stack.context;
  const key = pushKeys.newest();
  const browser = service.subscribe(key.publicKey);
  await stack.database.transactional(async (em) => {
    await lockInboxes(em, [recipientId]);
    await putPushSubscription(em, pushKeys, { recipientId, browser: browser.subscription, key, expireTime: null });
  });
  return browser;
}

export function assigned(stack: Stack, recipientId: string, title: string) {
  return taskEvent(stack.topics.events, {
    title,
    actorId: recipientId.replace(/^./, "f"),
    memberIds: [recipientId],
    fact: { case: "taskCreated", value: { assigneeIds: [recipientId] } },
  });
}

const deliveriesTo = ({ database }: Stack, recipientId: string) =>
  database.query<PushDelivery>(
    `SELECT d.state, d.attempts, d.failure FROM delivery d JOIN notification n USING (notification_id)
     WHERE recipient_id = $1 AND channel = 'push' ORDER BY n.position`,
    [recipientId],
    { name: "test-pushes" },
  );
