import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { revokedChannel } from "#kit/auth/revocations.ts";
import type { EntityManager } from "#kit/db/database.ts";
import { unauthenticated } from "#kit/errors.ts";
import type { CallContext } from "#kit/grpc/service.ts";
import { newId } from "#kit/id.ts";
import type { AuthContext } from "./context.ts";
import { lockAccount } from "./db/account.repository.ts";
import {
  addSession,
  isSessionLive,
  lockSession,
  lockTokenState,
  supersede,
  type TokenState,
  tokenState,
} from "./db/session.repository.ts";
import { databaseTime } from "./db/time.ts";
import { decideRefresh, type RefreshDecision } from "./domain/refresh.ts";
import { refreshTokenReused, sessionRevoked } from "./events.ts";
import { reportBackgroundFailure } from "./metrics.ts";
import { newRefreshToken, openSuccessor, refreshTokenHash, sealSuccessor } from "./tokens/refresh-token.ts";

/** A session with the refresh token that is good for it now. */
export interface LiveSession {
  userId: string;
  sessionId: string;
  refreshToken: string;
}

export type Refreshed =
  | { decision: "rotate" | "replay"; session: LiveSession }
  | { decision: "reuse"; userId: string; sessionId: string }
  | { decision: "refuse" };

/** Begins a session of a user. */
export async function openSession(ctx: AuthContext, em: EntityManager, userId: string): Promise<LiveSession> {
  const now = await databaseTime(em);
  const session = { userId, sessionId: newId(), refreshToken: newRefreshToken() };
  addSession(em, {
    sessionId: session.sessionId,
    userId,
    now,
    expireTime: endOf(ctx, now),
    tokenHash: refreshTokenHash(session.refreshToken),
  });
  return session;
}

/**
 * Uses a refresh token. A reuse is only recognised here; revoking the session is the caller's next step. The lock is
 * for the one call that rotates: those that replay need not wait for each other.
 */
export async function useRefreshToken(ctx: AuthContext, presented: string, signal: AbortSignal): Promise<Refreshed> {
  const tokenHash = refreshTokenHash(presented);
  const state = await tokenState(ctx.database, tokenHash, signal);
  if (decide(ctx, state) !== "rotate") return settle(ctx, state, presented, signal);
  const rotated = await ctx.database.transactional(
    async (em) => {
      const locked = await lockTokenState(em, tokenHash);
      if (!locked || decide(ctx, locked) !== "rotate") return { locked };
      const refreshToken = newRefreshToken();
      const { sessionId, userId, now } = locked;
      const sealed = sealSuccessor(refreshToken, presented);
      const successor = { tokenHash: refreshTokenHash(refreshToken), sealed, now, expireTime: endOf(ctx, now) };
      await supersede(em, { sessionId, tokenHash }, successor);
      return { session: { userId, sessionId, refreshToken } };
    },
    { signal },
  );
  if (rotated.session) return { decision: "rotate", session: rotated.session };
  return settle(ctx, rotated.locked, presented, signal);
}

function decide({ config }: AuthContext, state: TokenState | undefined): RefreshDecision {
  if (state === undefined) return "refuse";
  const { expireTime, usedTime, sessionExpireTime, sessionRevokedTime, now } = state;
  return decideRefresh(
    { expireTime, usedTime: usedTime ?? undefined },
    { expireTime: sessionExpireTime, revokedTime: sessionRevokedTime ?? undefined },
    { now, graceMs: config.tokens.refreshGrace * 1_000 },
  );
}

/** Answers for a token that is not to be rotated. */
async function settle(
  ctx: AuthContext,
  state: TokenState | undefined,
  presented: string,
  signal: AbortSignal,
): Promise<Refreshed> {
  const decision = decide(ctx, state);
  if (state === undefined || decision === "refuse") return { decision: "refuse" };
  const { userId, sessionId } = state;
  if (decision === "reuse") return { decision, userId, sessionId };
  const refreshToken = await latestSuccessor(ctx, state, { presented, signal });
  return { decision: "replay", session: { userId, sessionId, refreshToken } };
}

/**
 * The newest token of the family. A successor that has been used already lies in its own grace, so that whoever holds
 * the first token could get there step by step; one step saves an honest client from a token that is about to die.
 */
async function latestSuccessor(
  { database }: AuthContext,
  state: TokenState,
  { presented, signal }: { presented: string; signal: AbortSignal },
): Promise<string> {
  let current: TokenState | undefined = state;
  let token = presented;
  while (current?.successorSealed) {
    token = openSuccessor(current.successorSealed, token);
    current = await tokenState(database, refreshTokenHash(token), signal);
  }
  return token;
}

/** Ends a session for good. Answers whether it was alive. Goes on when the caller has gone away. */
export async function revokeSession(
  ctx: AuthContext,
  { userId, sessionId }: { userId: string; sessionId: string },
  cause: "logout" | "reuse",
): Promise<boolean> {
  return ctx.database.transactional(async (em) => {
    const account = await lockAccount(em, userId);
    const session = await lockSession(em, sessionId);
    if (session.revokedTime || session.userId !== userId) return false;
    session.revokedTime = await databaseTime(em);
    const emit = cause === "reuse" ? refreshTokenReused : sessionRevoked;
    await emit(em, account, { sessionId, occurTime: session.revokedTime });
    ctx.database.afterCommit(() => void announceRevoked(ctx, sessionId), em);
    return true;
  });
}

/**
 * The person's session that makes this call. Throws UNAUTHENTICATED when it is over, at once where the token alone would
 * be believed for another second.
 */
export async function requireSession(
  { database }: AuthContext,
  { caller, signal }: CallContext,
): Promise<{ userId: string; sessionId: string }> {
  if (caller.kind === "user" && (await isSessionLive(database, caller, signal))) return caller;
  throw unauthenticated(ErrorReason.TOKEN_INVALID, "this call needs a session; sign in again");
}

/** Tells everybody who verifies tokens that a session, or an API key, is over. */
export async function announceRevoked({ redis }: AuthContext, sessionId: string): Promise<void> {
  try {
    await redis.publish(revokedChannel, sessionId);
  } catch (error) {
    reportBackgroundFailure("announce a revoked session", error);
  }
}

function endOf({ config }: AuthContext, now: Date): Date {
  return new Date(now.getTime() + config.tokens.refreshTtl * 1_000);
}
