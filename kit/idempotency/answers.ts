import { createHash } from "node:crypto";
import { type EntityManager, execute } from "#kit/db/database.ts";
import { statement } from "#kit/db/statement.ts";

/** A key belongs to whoever sent it: others may use the same one. */
export interface OwnedKey {
  /** Tells callers apart: a user's id, or any other string. */
  scope: string;
  key: string;
}

/** What a key was first used for, and what came of it. */
export interface StoredAnswer {
  /** A hash of the request and of what else decides about the call. */
  requestHash: Buffer;
  /** The response message as it was sent, sealed where it holds secrets. */
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
export async function takeKey(em: EntityManager, { scope, key }: OwnedKey, idleMs: number): Promise<boolean> {
  const [row] = await execute<{ locked: boolean }>(em, lockStatement, [ownerId(scope), key, String(idleMs)]);
  return row?.locked === true;
}

/** The answer to the first call with the key. Only a statement after `takeKey` sees what its former holder has committed. */
export async function findAnswer(em: EntityManager, { scope, key }: OwnedKey): Promise<StoredAnswer | undefined> {
  const [answer] = await execute<StoredAnswer>(em, findStatement, [ownerId(scope), key]);
  return answer;
}

/** Keeps the answer for 24 hours, in the transaction of what it tells of; false when there is one already. */
export async function storeAnswer(em: EntityManager, { scope, key }: OwnedKey, answer: StoredAnswer): Promise<boolean> {
  const rows = await execute(em, storeStatement, [ownerId(scope), key, answer.requestHash, answer.response]);
  return rows.length > 0;
}

const uuid = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/;

/** The id under which a scope's keys are kept: a user's id itself, and for any other scope a UUIDv8 (RFC 9562) of its hash. */
export function ownerId(scope: string): string {
  if (uuid.test(scope)) return scope;
  const bytes = createHash("sha256").update(scope).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
