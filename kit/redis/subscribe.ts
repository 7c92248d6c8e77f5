import type { Lifecycle } from "#kit/lifecycle.ts";
import type { Redis } from "./redis.ts";

export interface SubscriptionOptions {
  redis: Redis;
  channel: string;
  lifecycle: Lifecycle;
  onMessage: (message: string) => void;
  /** Called each time that messages begin to arrive: what was said before then was missed. */
  onSubscribed?: () => void;
}

/** Hears a channel of Redis for as long as the process runs, over a connection of its own. Never throws. */
export interface Subscription {
  /** Whether messages arrive just now. */
  readonly isLive: boolean;
}

export function subscribe({ redis, channel, lifecycle, onMessage, onSubscribed }: SubscriptionOptions): Subscription {
  // A connection that subscribes can do nothing else, and may be silent for long. Nobody waits for it, so it may take its
  // time: a time-out would leave it subscribed without anybody knowing.
  const subscriber = redis.duplicate({
    socketTimeout: undefined,
    commandTimeout: undefined,
    autoResubscribe: false,
    enableOfflineQueue: false,
  });
  const subscription = { isLive: false };
  subscriber.on("message", (_channel, message) => onMessage(message));
  subscriber.on("error", () => {});
  subscriber.on("close", () => {
    subscription.isLive = false;
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
  lifecycle.use(`subscription ${channel}`, subscriber, (open) => open.disconnect());
  return subscription;
}
