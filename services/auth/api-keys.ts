import { createHash, timingSafeEqual } from "node:crypto";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { apiKeyId, newApiKey } from "#kit/auth/api-key.ts";
import { notFound, ServiceError, unauthenticated } from "#kit/errors.ts";
import { newId } from "#kit/id.ts";
import type { AuthContext } from "./context.ts";
import { lockAccount } from "./db/account.repository.ts";
import {
  type ApiKeyState,
  addApiKey,
  apiKeyState,
  countLiveApiKeys,
  findApiKey,
  type KnownApiKey,
} from "./db/api-key.repository.ts";
import { databaseTime } from "./db/time.ts";
import { apiKeyEnd, maxLiveApiKeys } from "./domain/api-key.ts";
import { announceRevoked } from "./sessions.ts";

export interface ApiKeyWish {
  userId: string;
  name: string;
  scopes: string[];
  /** By default as late as may be. */
  expireTime: Date | undefined;
}

export interface MadeApiKey {
  apiKey: KnownApiKey;
  /** The key itself, which nobody can read again. */
  key: string;
}

/** Makes a key. Throws LIMIT_REACHED, and INVALID_ARGUMENT for an end that is past or too far ahead. */
export function createApiKey(ctx: AuthContext, wish: ApiKeyWish, signal: AbortSignal): Promise<MadeApiKey> {
  const { userId, name, scopes } = wish;
  return ctx.database.transactional(
    async (em) => {
      // The lock makes the count one that holds.
      await lockAccount(em, userId);
      const createTime = await databaseTime(em);
      const expireTime = apiKeyEnd(wish.expireTime, createTime);
      if ((await countLiveApiKeys(em, userId, createTime)) >= maxLiveApiKeys) {
        const message = `an account has at most ${maxLiveApiKeys} API keys; revoke one first`;
        throw new ServiceError({ reason: ErrorReason.LIMIT_REACHED, message });
      }
      const id = newId();
      const key = newApiKey(id);
      const apiKey = { apiKeyId: id, name, scopes, createTime, expireTime, lastUsedTime: null };
      addApiKey(em, { apiKeyId: id, userId, name, scopes, keyHash: digest(key), createTime, expireTime });
      return { apiKey, key };
    },
    { signal },
  );
}

/** Ends a key for good. Answers whether it was alive. Throws API_KEY_NOT_FOUND for one that is not the user's. */
export async function revokeApiKey(ctx: AuthContext, userId: string, id: string): Promise<boolean> {
  return ctx.database.transactional(async (em) => {
    await lockAccount(em, userId);
    const key = await findApiKey(em, userId, id);
    if (!key) throw notFound(ErrorReason.API_KEY_NOT_FOUND, "there is no such API key");
    if (key.revokedTime) return false;
    key.revokedTime = await databaseTime(em);
    ctx.database.afterCommit(() => void announceRevoked(ctx, id), em);
    return true;
  });
}

/** A key that is good, with its id. Throws UNAUTHENTICATED with TOKEN_INVALID or TOKEN_EXPIRED. */
export async function checkApiKey(
  { database }: AuthContext,
  key: string,
  signal: AbortSignal,
): Promise<ApiKeyState & { apiKeyId: string }> {
  const id = apiKeyId(key);
  const state = id === undefined ? undefined : await apiKeyState(database, id, signal);
  if (id === undefined || !state || state.revokedTime || !timingSafeEqual(state.keyHash, digest(key))) throw refused();
  if (state.expireTime <= state.now) {
    throw unauthenticated(ErrorReason.TOKEN_EXPIRED, "the API key has expired");
  }
  return { ...state, apiKeyId: id };
}

/** One answer for all: it tells nothing about a key that is not the caller's. */
function refused(): ServiceError {
  return unauthenticated(ErrorReason.TOKEN_INVALID, "the API key is not valid");
}

function digest(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}
