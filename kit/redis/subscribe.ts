import type { Lifecycle } from "#kit/lifecycle.ts";
import { openBeside, type Redis } from "./redis.ts";

export interface SubscriptionOptions {
  redis: Redis;
  channel: string;
  lifecycle: Lifecycle;
  onMessage: (message: string) => void;
  /** Called each time that messages begin to arrive: what was said before then was missed. */
  onSubscribed?: () => void;
  /** Called each time that messages no longer arrive: who counts on them has to look for itself. */
  onLost?: () => void;
  /** How often a silent connection is asked whether anybody is there, in milliseconds; it is given up after twice as long. */
  askEveryMs?: number;
}

/** Hears a channel of Redis for as long as the process runs, over a connection of its own. Never throws. */
export interface Subscription {
  /** Whether messages arrive just now; behind by up to three times `askEveryMs` where Redis hangs. */
  readonly isLive: boolean;
}

export function subscribe(options: SubscriptionOptions): Subscription {
  const { redis, channel, lifecycle, onMessage, onSubscribed, onLost, askEveryMs = 1_000 } = options;
  // A connection that subscribes can do nothing else, and may be silent for long. Nobody waits for it, so a command may
  // take its time: one that were given up would leave it subscribed without anybody knowing. A server that hangs is known
  // by its silence to a PING, and then the connection is closed.
  const subscriber = openBeside(redis, {
    socketTimeout: askEveryMs * 2,
    commandTimeout: undefined,
    autoResubscribe: false,
    enableOfflineQueue: false,
  });
  const subscription = { isLive: false };
  subscriber.on("message", (_channel, message) => onMessage(message));
  subscriber.on("error", () => {});
  subscriber.on("close", () => {
    if (!subscription.isLive) return;
    subscription.isLive = false;
    onLost?.();
  });
  subscriber.on("ready", () => {
    subscriber.subscribe(channel).then(
      () => {
        subscription.isLive = true;
        onSubscribed?.();
      },
      () => {},
    );
  });
  const asking = setInterval(() => {
    if (subscription.isLive) subscriber.ping().catch(() => {});
  }, askEveryMs);
  lifecycle.use(`subscription ${channel}`, subscriber, (open) => {
    clearInterval(asking);
    subscription.isLive = false;
    open.disconnect();
  });
  return subscription;
}
