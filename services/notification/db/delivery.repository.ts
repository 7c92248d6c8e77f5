import { type Database, type EntityManager, execute } from "#kit/db/database.ts";
import { statement } from "#kit/db/statement.ts";
import type { DeliveryState } from "./delivery.entity.ts";

/** What taking up a delivery led to: ours now, taken by another for the time being, over already, or unknown. */
export type Claim = "ours" | "taken" | "over" | "unknown";

const claim = statement(
  "delivery-claim",
  `UPDATE delivery
   SET state = 'sending', attempts = attempts + 1, message_id = $2, update_time = statement_timestamp(),
     claim_expire_time = statement_timestamp() + make_interval(secs => $3)
   WHERE delivery_id = $1
     AND (state = 'queued' OR (state = 'sending' AND claim_expire_time <= statement_timestamp()))
   RETURNING delivery_id`,
);
const stateOf = statement("delivery-state", "SELECT state FROM delivery WHERE delivery_id = $1");
const release = statement(
  "delivery-release",
  `UPDATE delivery
   SET state = 'queued', failure = $2, claim_expire_time = NULL, update_time = statement_timestamp()
   WHERE delivery_id = $1 AND state = 'sending'`,
);
const finish = statement(
  "delivery-finish",
  `UPDATE delivery
   SET state = $2, failure = $3, claim_expire_time = NULL, update_time = statement_timestamp(),
     send_time = CASE WHEN $2 = 'sent' THEN statement_timestamp() END
   WHERE delivery_id = $1 AND state <> 'sent'`,
);

export interface ClaimOptions {
  deliveryId: string;
  messageId: string | null;
  /** For how many seconds nobody else may take it up. */
  seconds: number;
  signal: AbortSignal;
}

/** Takes up a delivery, in a transaction of its own, so that no lock is held while it is on its way. */
export async function claimDelivery(db: Database, options: ClaimOptions): Promise<Claim> {
  const { deliveryId, messageId, seconds, signal } = options;
  const claimed = await db.query(claim, [deliveryId, messageId, seconds], { signal });
  if (claimed.length > 0) return "ours";
  const [found] = await db.query<{ state: DeliveryState }>(stateOf, [deliveryId], { signal });
  if (found === undefined) return "unknown";
  return found.state === "sent" || found.state === "failed" ? "over" : "taken";
}

/**
 * Gives a delivery back that could not be made, so that the next try need not wait for the claim to expire. `failure` is
 * a short name for the reason, if there is one to be remembered.
 */
export async function releaseDelivery(db: Database, deliveryId: string, failure?: string): Promise<void> {
  await db.query(release, [deliveryId, failure ?? null]);
}

export async function deliverySent(em: EntityManager, deliveryId: string): Promise<void> {
  await execute(em, finish, [deliveryId, "sent", null]);
}

/** Ends a delivery that can never be made. `failure` is a short name for the reason. */
export async function deliveryFailed(em: EntityManager, deliveryId: string, failure: string): Promise<void> {
  await execute(em, finish, [deliveryId, "failed", failure]);
}
