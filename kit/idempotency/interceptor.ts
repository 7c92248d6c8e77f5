import type { Message } from "@bufbuild/protobuf";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import type { Database } from "#kit/db/database.ts";
import { internal, ServiceError } from "#kit/errors.ts";
import { methodName } from "#kit/grpc/definition.ts";
import type { ServerInterceptor } from "#kit/grpc/interceptors/interceptor.ts";
import type { ServerCall } from "#kit/grpc/server-call.ts";
import { findAnswer, type OwnedKey, type StoredAnswer, storeAnswer, takeKey } from "./answers.ts";
import { identityOf, keyOf } from "./key.ts";
import { type AnswerSealer, plainAnswers } from "./sealing.ts";

const retryAfterMs = 250;
const leastIdleMs = 5000;

/** What the interceptor keeps its answers in; for tests of its own decisions. */
export interface AnswerStore {
  takeKey: typeof takeKey;
  findAnswer: typeof findAnswer;
  storeAnswer: typeof storeAnswer;
}

export interface IdempotencyOptions {
  /** Whose a key is: any string that tells callers apart. By default the user's id, so that others are refused. */
  scopeOf?(call: ServerCall, request: Message): string;
  /** Where requests or answers hold secrets: how they are kept. By default as they are. */
  sealer?: AnswerSealer;
  store?: AnswerStore;
}

/**
 * A call with a key (the header Idempotency-Key or the field request_id) is done once: the answer is stored in the
 * transaction of the effect, and for 24 hours the same call gets the same answer, marked by the header
 * `idempotency-replayed`. Failures are not stored, since nothing was done. Throws IDEMPOTENCY_KEY_IN_FLIGHT while the
 * first call runs, IDEMPOTENCY_KEY_REUSED for another one.
 * The last link of the chain, so that only who may call and asks for something sensible gets to see an answer.
 */
export function idempotency(database: Pick<Database, "asOne">, options: IdempotencyOptions = {}): ServerInterceptor {
  const { scopeOf = userOf, sealer = plainAnswers, store = { takeKey, findAnswer, storeAnswer } } = options;
  return {
    name: "idempotency",
    wrap: (next) => (call, request) => {
      const key = keyOf(call, request as Message);
      if (key === undefined) return next(call, request);
      const owned: OwnedKey = { scope: scopeOf(call, request as Message), key };
      const requestHash = sealer.hash(identityOf(call, request as Message));
      // Whatever the handler asks of other services it asks with the transaction open. The call's deadline bounds that.
      return database.asOne(
        async (em) => {
          if (!(await store.takeKey(em, owned, idleMs(call)))) throw inFlight();
          const known = await store.findAnswer(em, owned);
          if (known !== undefined) return sealer.unseal(replay(call, known, requestHash), requestHash);
          const response = await next(call, request);
          if (response === undefined) throw internal(new Error(`${methodName(call.method)} gave no answer to keep`));
          const answer = { requestHash, response: sealer.seal(response, requestHash) };
          if (!(await store.storeAnswer(em, owned, answer))) throw inFlight();
          return response;
        },
        { signal: call.signal },
      );
    },
  };
}

function userOf(call: ServerCall): string {
  return call.userId;
}

function replay(call: ServerCall, known: StoredAnswer, requestHash: Buffer): Buffer {
  if (!known.requestHash.equals(requestHash)) {
    throw new ServiceError({
      reason: ErrorReason.IDEMPOTENCY_KEY_REUSED,
      message: "this idempotency key was used for another request",
    });
  }
  call.responseHeader("idempotency-replayed", "true");
  return known.response;
}

function inFlight(): ServiceError {
  return new ServiceError({
    reason: ErrorReason.IDEMPOTENCY_KEY_IN_FLIGHT,
    message: "the first call with this idempotency key is still running; repeat it in a moment",
    retryAfterMs,
  });
}

function idleMs({ deadlineMs }: ServerCall): number {
  const left = deadlineMs - Date.now();
  return Number.isFinite(left) ? Math.max(leastIdleMs, Math.ceil(left)) : leastIdleMs;
}
