import { type Database, type EntityManager, execute } from "#kit/db/database.ts";
import { statement } from "#kit/db/statement.ts";
import type { Tier } from "../domain/account.ts";
import { ApiKeyEntity, type ApiKeyRow } from "./api-key.entity.ts";

export type NewApiKey = Pick<
  ApiKeyRow,
  "apiKeyId" | "userId" | "name" | "scopes" | "keyHash" | "createTime" | "expireTime"
>;

export function addApiKey(em: EntityManager, key: NewApiKey): void {
  em.create(ApiKeyEntity, key);
}

/** How many keys of a user are good at a time. */
export function countLiveApiKeys(em: EntityManager, userId: string, now: Date): Promise<number> {
  return em.count(ApiKeyEntity, { userId, revokedTime: null, expireTime: { $gt: now } });
}

/** A key of this user, if there is one. */
export function findApiKey(em: EntityManager, userId: string, apiKeyId: string): Promise<ApiKeyRow | null> {
  return em.findOne(ApiKeyEntity, { apiKeyId, userId });
}

const list = statement(
  "auth-api-keys",
  `SELECT api_key_id AS "apiKeyId", name, scopes, create_time AS "createTime", expire_time AS "expireTime",
     last_used_time AS "lastUsedTime"
   FROM api_key
   WHERE user_id = $1 AND revoked_time IS NULL AND (expire_time > now() OR api_key_id IN (
     SELECT api_key_id FROM api_key WHERE user_id = $1 AND revoked_time IS NULL AND expire_time <= now()
     ORDER BY expire_time DESC LIMIT 100))
   ORDER BY create_time DESC, api_key_id DESC`,
);

/** What may be told of a key. */
export type KnownApiKey = Pick<
  ApiKeyRow,
  "apiKeyId" | "name" | "scopes" | "createTime" | "expireTime" | "lastUsedTime"
>;

/** The keys of a user that were not revoked, of the expired ones the last hundred; the newest first. */
export function listApiKeys(database: Database, userId: string, signal: AbortSignal): Promise<KnownApiKey[]> {
  return database.query<KnownApiKey>(list, [userId], { signal });
}

const read = statement(
  "auth-api-key",
  `SELECT user_id AS "userId", tier, scopes, key_hash AS "keyHash", api_key.expire_time AS "expireTime",
     revoked_time AS "revokedTime", clock_timestamp() AS now
   FROM api_key JOIN account USING (user_id) WHERE api_key_id = $1`,
);

/** A key with what decides on it: whose it is, and the database's time. */
export type ApiKeyState = Pick<ApiKeyRow, "userId" | "scopes" | "keyHash" | "expireTime" | "revokedTime"> & {
  tier: Tier;
  now: Date;
};

export async function apiKeyState(
  database: Database,
  apiKeyId: string,
  signal: AbortSignal,
): Promise<ApiKeyState | undefined> {
  const [state] = await database.query<ApiKeyState>(read, [apiKeyId], { signal });
  return state;
}

const touch = statement(
  "auth-api-key-used",
  `UPDATE api_key SET last_used_time = clock_timestamp()
   WHERE api_key_id = $1 AND (last_used_time IS NULL OR last_used_time < clock_timestamp() - interval '1 minute')`,
);

/** Notes that a key was used, at most once a minute. */
export async function touchApiKey(database: Database, apiKeyId: string, signal: AbortSignal): Promise<void> {
  await database.query(touch, [apiKeyId], { signal });
}

const ending = statement(
  "auth-api-keys-ending",
  `SELECT api_key_id AS "apiKeyId", user_id AS "userId" FROM api_key
   WHERE revoked_time IS NULL AND notice_time IS NULL AND expire_time - create_time >= interval '1 day'
     AND expire_time > clock_timestamp() AND expire_time < clock_timestamp() + interval '7 days'
     AND expire_time - least(interval '7 days', (expire_time - create_time) / 10) <= clock_timestamp()
   ORDER BY expire_time LIMIT 100`,
);

/**
 * Some of the keys in the last tenth of their lives, at most a week, whose owners do not know it yet. Who makes a key for
 * less than a day knows its end.
 */
export function endingApiKeys(database: Database): Promise<{ apiKeyId: string; userId: string }[]> {
  return database.query<{ apiKeyId: string; userId: string }>(ending);
}

const sweep = statement(
  "auth-api-keys-sweep",
  `DELETE FROM api_key WHERE api_key_id IN (
     SELECT api_key_id FROM api_key WHERE expire_time < now() - interval '30 days' LIMIT 1000)`,
);

/** Removes some of the keys that expired more than 30 days ago. */
export async function sweepApiKeys(em: EntityManager): Promise<void> {
  await execute(em, sweep);
}
