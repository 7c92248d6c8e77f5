import { vapidHeaders } from "@block65/webcrypto-web-push";
import { LRUCache } from "lru-cache";
import type { PushKey } from "../../services/notification/db/push-keys.ts";
import type { PushTarget } from "../../services/notification/db/push-subscription.repository.ts";

// The library signs for 12 h; half of it is left to the clocks of others.
const keptMs = 6 * 60 * 60 * 1000;

/** Says to a push service who sends (RFC 8292). One signature does for all messages to a service. */
export class Signatures {
  readonly #subject: string;
  readonly #kept = new LRUCache<string, Promise<string>>({ max: 500, ttl: keptMs });

  /** The subject is where the operators of push services reach ours: a mailto: or https: URL. */
  constructor(subject: string) {
    this.#subject = subject;
  }

  /** The value of the header Authorization. */
  authorization({ browser, key }: Pick<PushTarget, "browser" | "key">): Promise<string> {
    const place = `${new URL(browser.endpoint).origin} ${key.publicKey}`;
    const kept = this.#kept.get(place);
    if (kept !== undefined) return kept;
    const made = this.#sign(browser.endpoint, key);
    this.#kept.set(place, made);
    return made;
  }

  async #sign(endpoint: string, { publicKey, privateKey }: PushKey): Promise<string> {
    const subscription = { endpoint, expirationTime: null, keys: { auth: "", p256dh: "" } };
    const { headers } = await vapidHeaders(subscription, { subject: this.#subject, publicKey, privateKey });
    return headers.authorization;
  }
}
