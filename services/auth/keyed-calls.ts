import { createHmac } from "node:crypto";
import type { Message } from "@bufbuild/protobuf";
import { LRUCache } from "lru-cache";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { deriveKey } from "#kit/auth/sealing.ts";
import type { Database } from "#kit/db/database.ts";
import { ServiceError } from "#kit/errors.ts";
import { methodName } from "#kit/grpc/definition.ts";
import type { ServerInterceptor } from "#kit/grpc/interceptors/interceptor.ts";
import type { ServerCall } from "#kit/grpc/server-call.ts";
import { idempotency } from "#kit/idempotency/interceptor.ts";
import { keyOf } from "#kit/idempotency/key.ts";
import { sealedAnswers } from "#kit/idempotency/sealed-answers.ts";
import { WorkPool } from "./passwords/work-pool.ts";

const queue = 64;
const maxOthers = 5;
const maxKeysWatched = 10_000;
const keptMs = 86_400_000;

export interface KeyedCallsOptions {
  /** What the keys of hashes and answers are derived from. */
  secret: Buffer;
  /** How many connections the database's pool has. */
  poolMax: number;
}

/**
 * Calls with an Idempotency-Key, done once although many of them have no user yet: for those a key belongs to the method
 * alone. Requests hold passwords and answers hold tokens, so that the one is kept as a keyed hash and the other
 * encrypted; who does not know the whole request gets no answer.
 *
 * Such a call holds a connection while it hashes and asks on others (`Database.apart`). Therefore at most half of the
 * pool is for them, lest all of it wait for itself.
 */
export function keyedCalls(database: Database, { secret, poolMax }: KeyedCallsOptions): ServerInterceptor {
  const places = new WorkPool({ slots: Math.max(1, Math.floor(poolMax / 2)), queue });
  const bounded: Pick<Database, "asOne"> = {
    asOne: (fn, options) => places.run(() => database.asOne(fn, options), options?.signal),
  };
  return sparing(idempotency(bounded, { scopeOf: scopes(secret), sealer: sealedAnswers(secret) }));
}

/** Bounds how often another request may be tried with a known key: each answer says that it is not the same password. */
function sparing(inner: ServerInterceptor): ServerInterceptor {
  const others = new LRUCache<string, number>({ max: maxKeysWatched, ttl: keptMs });
  return {
    name: inner.name,
    wrap: (next) => {
      const done = inner.wrap(next);
      return async (call, request) => {
        const key = call.caller.kind === "anonymous" ? keyOf(call, request as Message) : undefined;
        if (key === undefined) return done(call, request);
        const place = `${methodName(call.method)} ${key}`;
        if ((others.get(place) ?? 0) >= maxOthers) throw tooMany();
        try {
          return await done(call, request);
        } catch (error) {
          if (isOtherRequest(error)) others.set(place, (others.get(place) ?? 0) + 1);
          throw error;
        }
      };
    },
  };
}

function isOtherRequest(error: unknown): boolean {
  return error instanceof ServiceError && error.reason === ErrorReason.IDEMPOTENCY_KEY_REUSED;
}

function tooMany(): ServiceError {
  const message = "too many other requests came with this idempotency key; take a new one";
  return new ServiceError({ reason: ErrorReason.RATE_LIMITED, message, retryAfterMs: keptMs });
}

function scopes(secret: Buffer) {
  const key = deriveKey(secret, "taskmesh idempotency scopes");
  return (call: ServerCall): string => {
    if (call.caller.kind === "user") return call.caller.userId;
    return createHmac("sha256", key).update(methodName(call.method)).digest("base64url");
  };
}
