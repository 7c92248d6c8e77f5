import { type EntityManager, execute } from "#kit/db/database.ts";
import { statement } from "#kit/db/statement.ts";

/** A key belongs to the user who sent it: others may use the same one. */
export interface UserKey {
  userId: string;
  key: string;
}

/** What a key was first used for, and what came of it. */
export interface StoredAnswer {
  /** SHA-256 of the request and of what else decides about the call. */
  requestHash: Buffer;
  /** The response message as it was sent. */
  response: Buffer;
}

/** Long enough for whoever was without a network for a day. */
const kept = "24 hours";

// A number of its own keeps these locks apart from the others of a database; it must never change. While the call waits
// for another service its transaction is idle, which must not end it before its deadline does.
const lockStatement = statement(
  "idempotency-lock",
  `SELECT pg_try_advisory_xact_lock(hashtextextended($1::text || ' ' || $2::text, 7305402773)) AS locked,
     set_config('idle_in_transaction_session_timeout', $3::text, true)`,
  { operation: "SELECT", collection: "idempotency_key" },
);

const findStatement = statement(
  "idempotency-find",
  `SELECT request_hash AS "requestHash", response FROM idempotency_key
   WHERE user_id = $1::uuid AND key = $2 AND expire_time > now()`,
);

const storeStatement = statement(
  "idempotency-store",
  `INSERT INTO idempotency_key AS stored (user_id, key, request_hash, response, expire_time)
   VALUES ($1::uuid, $2, $3::bytea, $4::bytea, now() + interval '${kept}')
   ON CONFLICT (user_id, key) DO UPDATE
     SET request_hash = excluded.request_hash, response = excluded.response, expire_time = excluded.expire_time
     WHERE stored.expire_time <= now()
   RETURNING 1 AS stored`,
);

/** Takes the key until the transaction ends; false when another call has it. `idleMs` is how long the call may be idle. */
export async function takeKey(em: EntityManager, { userId, key }: UserKey, idleMs: number): Promise<boolean> {
  const [row] = await execute<{ locked: boolean }>(em, lockStatement, [userId, key, String(idleMs)]);
  return row?.locked === true;
}

/** The answer to the first call with the key. Only a statement after `takeKey` sees what its former holder has committed. */
export async function findAnswer(em: EntityManager, { userId, key }: UserKey): Promise<StoredAnswer | undefined> {
  const [answer] = await execute<StoredAnswer>(em, findStatement, [userId, key]);
  return answer;
}

/** Keeps the answer for 24 hours, in the transaction of what it tells of; false when there is one already. */
export async function storeAnswer(em: EntityManager, { userId, key }: UserKey, answer: StoredAnswer): Promise<boolean> {
  const rows = await execute(em, storeStatement, [userId, key, answer.requestHash, answer.response]);
  return rows.length > 0;
}
