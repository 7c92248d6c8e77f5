import { LockMode } from "@mikro-orm/core";
import { type Database, type EntityManager, execute } from "#kit/db/database.ts";
import { statement } from "#kit/db/statement.ts";
import { RefreshTokenEntity } from "./refresh-token.entity.ts";
import { type Session, SessionEntity } from "./session.entity.ts";

export interface NewSession {
  sessionId: string;
  userId: string;
  now: Date;
  expireTime: Date;
  /** Of the session's first refresh token. */
  tokenHash: string;
}

export function addSession(em: EntityManager, { sessionId, userId, now, expireTime, tokenHash }: NewSession): void {
  em.create(SessionEntity, { sessionId, userId, createTime: now, lastUsedTime: now, expireTime });
  em.create(RefreshTokenEntity, { tokenHash, sessionId, createTime: now, expireTime });
}

/** A refresh token with what decides on it: its own state, its session's, and the database's time. */
export interface TokenState {
  sessionId: string;
  userId: string;
  expireTime: Date;
  usedTime: Date | null;
  /** Its successor, encrypted with the token. */
  successorSealed: Buffer | null;
  sessionExpireTime: Date;
  sessionRevokedTime: Date | null;
  now: Date;
}

const stateOfToken = `SELECT token.session_id AS "sessionId", session.user_id AS "userId",
    token.expire_time AS "expireTime", token.used_time AS "usedTime", token.successor_sealed AS "successorSealed",
    session.expire_time AS "sessionExpireTime", session.revoked_time AS "sessionRevokedTime", clock_timestamp() AS now
  FROM refresh_token AS token JOIN session USING (session_id) WHERE token.token_hash = $1`;
const readToken = statement("auth-refresh-token", stateOfToken);
const lockToken = statement("auth-refresh-token-lock", `${stateOfToken} FOR UPDATE OF token, session`);

export async function tokenState(
  database: Database,
  tokenHash: string,
  signal: AbortSignal,
): Promise<TokenState | undefined> {
  const [state] = await database.query<TokenState>(readToken, [tokenHash], { signal });
  return state;
}

/** The same with token and session locked, so that all uses of one family come one after the other. */
export async function lockTokenState(em: EntityManager, tokenHash: string): Promise<TokenState | undefined> {
  const [state] = await execute<TokenState>(em, lockToken, [tokenHash]);
  return state;
}

const supersedeToken = statement(
  "auth-refresh-token-supersede",
  `WITH used AS (
     UPDATE refresh_token SET used_time = $3, successor_sealed = $5 WHERE token_hash = $2
   ), moved AS (
     UPDATE session SET last_used_time = $3, expire_time = $4 WHERE session_id = $1
   )
   INSERT INTO refresh_token (token_hash, session_id, create_time, expire_time) VALUES ($6, $1, $3, $4)`,
  { operation: "INSERT", collection: "refresh_token" },
);

export interface Successor {
  tokenHash: string;
  sealed: Buffer;
  now: Date;
  expireTime: Date;
}

/** Trades a locked token for its successor and moves the session's end on. */
export async function supersede(
  em: EntityManager,
  { sessionId, tokenHash }: { sessionId: string; tokenHash: string },
  successor: Successor,
): Promise<void> {
  const { now, expireTime, sealed } = successor;
  await execute(em, supersedeToken, [sessionId, tokenHash, now, expireTime, sealed, successor.tokenHash]);
}

export function lockSession(em: EntityManager, sessionId: string): Promise<Session> {
  return em.findOneOrFail(SessionEntity, { sessionId }, { lockMode: LockMode.PESSIMISTIC_WRITE });
}

const revokedSince = statement(
  "auth-sessions-revoked",
  `SELECT session_id AS "sessionId", revoked_time FROM session WHERE revoked_time > now() - make_interval(secs => $1)
   UNION ALL
   SELECT api_key_id, revoked_time FROM api_key WHERE revoked_time > now() - make_interval(secs => $1)
   ORDER BY revoked_time DESC`,
);

/** Sessions and API keys that were revoked in the last so many seconds, the latest first. */
export async function sessionsRevokedWithin(
  database: Database,
  seconds: number,
  signal: AbortSignal,
): Promise<string[]> {
  const rows = await database.query<{ sessionId: string }>(revokedSince, [seconds], { signal });
  return rows.map(({ sessionId }) => sessionId);
}

const live = statement(
  "auth-session-live",
  `SELECT 1 AS live FROM session
   WHERE session_id = $1 AND user_id = $2 AND revoked_time IS NULL AND expire_time > clock_timestamp()`,
);

export async function isSessionLive(
  database: Database,
  { sessionId, userId }: { sessionId: string; userId: string },
  signal: AbortSignal,
): Promise<boolean> {
  return (await database.query(live, [sessionId, userId], { signal })).length > 0;
}

const deleteSessions = statement(
  "auth-sessions-sweep",
  `DELETE FROM session WHERE session_id IN (
     SELECT session_id FROM session WHERE expire_time < now() - interval '1 day' LIMIT 1000)`,
);
const deleteTokens = statement(
  "auth-refresh-tokens-sweep",
  `DELETE FROM refresh_token WHERE token_hash IN (
     SELECT token_hash FROM refresh_token WHERE expire_time < now() - interval '1 day' LIMIT 1000)`,
);

/** Removes some of the sessions and tokens that expired more than a day ago. */
export async function sweepSessions(em: EntityManager): Promise<void> {
  await execute(em, deleteTokens);
  await execute(em, deleteSessions);
}
