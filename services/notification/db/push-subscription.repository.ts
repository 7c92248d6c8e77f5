import { createHash } from "node:crypto";
import { seal, unseal } from "#kit/auth/sealing.ts";
import { type Database, type EntityManager, execute } from "#kit/db/database.ts";
import { statement } from "#kit/db/statement.ts";
import { newId } from "#kit/id.ts";
import { type BrowserKeys, maxPushSubscriptions } from "../domain/browser-keys.ts";
import type { PushKey, PushKeys } from "./push-keys.ts";

/** Where a browser is reached, and how to encrypt for it. */
export interface Browser {
  endpoint: string;
  keys: BrowserKeys;
}

export interface PushSubscriptionRow {
  pushSubscriptionId: string;
  sealed: Buffer;
  /** The public part of the key that the browser subscribed with. */
  pushKey: string;
  expireTime: Date | null;
  createTime: Date;
}

/** A subscription with what its browser gave. */
export type OpenSubscription = PushSubscriptionRow & { browser: Browser };

/** A subscription with what is needed to send a delivery to it. */
export interface PushTarget extends OpenSubscription {
  key: PushKey;
  /** Whether it has taken the delivery already. */
  isReached: boolean;
  /** Milliseconds for which its push service wants to be left alone; 0 for none. */
  waitMs: number;
}

const columns = `push_subscription_id AS "pushSubscriptionId", sealed, push_key AS "pushKey",
  expire_time AS "expireTime", create_time AS "createTime"`;

// A browser that was somebody else's, which only the browser itself can prove; and the caller's own that are over.
const clear = statement(
  "push-subscription-clear",
  `DELETE FROM push_subscription
   WHERE (browser_hash = $1 AND recipient_id <> $2)
     OR (recipient_id = $2 AND (push_key <> ALL ($3::text[]) OR expire_time <= statement_timestamp()))`,
);
const add = statement(
  "push-subscription-add",
  `INSERT INTO push_subscription AS known
     (push_subscription_id, recipient_id, endpoint_hash, browser_hash, sealed, push_key, expire_time, create_time)
   SELECT $1, $2, $3, $4, $5, $6, $7::timestamptz, statement_timestamp()
   WHERE EXISTS (SELECT FROM push_subscription WHERE recipient_id = $2 AND endpoint_hash = $3)
     OR (SELECT count(*) FROM push_subscription WHERE recipient_id = $2) < ${maxPushSubscriptions}
   ON CONFLICT (recipient_id, endpoint_hash) DO UPDATE
     SET browser_hash = excluded.browser_hash, push_key = excluded.push_key, expire_time = excluded.expire_time,
       sealed = excluded.sealed
   RETURNING ${columns}`,
  { operation: "INSERT", collection: "push_subscription" },
);
const isAlive = `recipient_id = $1 AND push_key = ANY ($2::text[])
  AND (expire_time IS NULL OR expire_time > statement_timestamp())`;
const list = statement(
  "push-subscription-list",
  `SELECT ${columns} FROM push_subscription WHERE ${isAlive} ORDER BY create_time DESC, push_subscription_id DESC`,
);
const targets = statement(
  "push-subscription-targets",
  `SELECT ${columns},
     coalesce(push_subscription_id = ANY ((SELECT reached FROM delivery WHERE delivery_id = $3)::uuid[]), false) AS "isReached",
     greatest(0, coalesce(extract(epoch FROM retry_time - statement_timestamp()) * 1000, 0))::float8 AS "waitMs"
   FROM push_subscription WHERE ${isAlive}`,
  { operation: "SELECT", collection: "push_subscription" },
);
const reach = statement("push-reach", "UPDATE delivery SET reached = array_append(reached, $2) WHERE delivery_id = $1");
const postpone = statement(
  "push-postpone",
  `UPDATE push_subscription SET retry_time = statement_timestamp() + make_interval(secs => $2)
   WHERE push_subscription_id = $1`,
);
const remove = statement(
  "push-subscription-remove",
  `DELETE FROM push_subscription WHERE push_subscription_id = $1 AND recipient_id = $2
   RETURNING push_subscription_id`,
);

/**
 * Remembers a browser for its person, whose inbox is locked so that the count holds. Undefined when that would be one
 * too many.
 */
export async function putPushSubscription(
  em: EntityManager,
  keys: PushKeys,
  {
    recipientId,
    browser,
    key,
    expireTime,
  }: { recipientId: string; browser: Browser; key: PushKey; expireTime: Date | null },
): Promise<PushSubscriptionRow | undefined> {
  const endpointHash = sha256(browser.endpoint);
  const browserHash = sha256([browser.endpoint, browser.keys.p256dh, browser.keys.auth].join("\n"));
  await execute(em, clear, [browserHash, recipientId, keys.publicKeys()]);
  const sealed = seal(Buffer.from(JSON.stringify(browser)), key.sealing, recipientId);
  const values = [newId(), recipientId, endpointHash, browserHash, sealed, key.publicKey, expireTime];
  const [row] = await execute<PushSubscriptionRow>(em, add, values);
  return row;
}

/** A person's subscriptions, the newest first, without those that ended or whose key was taken away. */
export async function pushSubscriptionsOf(
  database: Database,
  keys: PushKeys,
  recipientId: string,
  signal: AbortSignal,
): Promise<OpenSubscription[]> {
  const rows = await database.query<PushSubscriptionRow>(list, [recipientId, keys.publicKeys()], { signal });
  return opened(rows, keys, recipientId);
}

/** The subscriptions that a delivery is for. */
export async function pushTargets(
  database: Database,
  keys: PushKeys,
  { recipientId, deliveryId }: { recipientId: string; deliveryId: string },
  signal: AbortSignal,
): Promise<PushTarget[]> {
  const values = [recipientId, keys.publicKeys(), deliveryId];
  const rows = await database.query<Omit<PushTarget, "browser" | "key">>(targets, values, { signal });
  return opened(rows, keys, recipientId);
}

/** Notes that a subscription has taken a delivery which others have not yet. */
export async function pushReached(
  database: Database,
  deliveryId: string,
  { pushSubscriptionId }: Pick<PushTarget, "pushSubscriptionId">,
): Promise<void> {
  await database.query(reach, [deliveryId, pushSubscriptionId]);
}

/** Leaves a subscription alone for so many milliseconds. */
export async function postponePush(
  database: Database,
  { pushSubscriptionId }: Pick<PushTarget, "pushSubscriptionId">,
  ms: number,
): Promise<void> {
  await database.query(postpone, [pushSubscriptionId, ms / 1000]);
}

/** Answers whether the person had it. */
export async function removePushSubscription(
  database: Database,
  recipientId: string,
  pushSubscriptionId: string,
  signal: AbortSignal,
): Promise<boolean> {
  const removed = await database.query(remove, [pushSubscriptionId, recipientId], { signal });
  return removed.length > 0;
}

function opened<R extends PushSubscriptionRow>(rows: R[], keys: PushKeys, recipientId: string) {
  return rows.flatMap((row) => {
    const key = keys.get(row.pushKey);
    if (key === undefined) return [];
    const browser = JSON.parse(unseal(row.sealed, key.sealing, recipientId).toString("utf8")) as Browser;
    return [{ ...row, browser, key }];
  });
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
