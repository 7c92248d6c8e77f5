import { createHash } from "node:crypto";
import type { Message } from "@bufbuild/protobuf";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import type { Database } from "#kit/db/database.ts";
import { internal, invalidArgument, ServiceError } from "#kit/errors.ts";
import { encode, methodName } from "#kit/grpc/definition.ts";
import type { ServerInterceptor } from "#kit/grpc/interceptors/interceptor.ts";
import { policyOf } from "#kit/grpc/policy.ts";
import type { ServerCall } from "#kit/grpc/server-call.ts";
import { findAnswer, storeAnswer, takeKey } from "./answers.ts";

const visible = /^[\x21-\x7e]{1,255}$/;
const retryAfterMs = 250;
const leastIdleMs = 5000;

/** What the interceptor keeps its answers in; for tests of its own decisions. */
export interface AnswerStore {
  takeKey: typeof takeKey;
  findAnswer: typeof findAnswer;
  storeAnswer: typeof storeAnswer;
}

/**
 * A call with an Idempotency-Key is done once: the answer is stored in the transaction of the effect, and for 24 hours
 * the same call gets the same answer, marked by the header `idempotency-replayed`. Failures are not stored, since
 * nothing was done. Throws IDEMPOTENCY_KEY_IN_FLIGHT while the first call runs, IDEMPOTENCY_KEY_REUSED for another one.
 * The last link of the chain, so that only who may call and asks for something sensible gets to see an answer.
 */
export function idempotency(
  database: Pick<Database, "asOne">,
  store: AnswerStore = { takeKey, findAnswer, storeAnswer },
): ServerInterceptor {
  return {
    name: "idempotency",
    wrap: (next) => (call, request) => {
      const key = keyOf(call);
      if (key === undefined) return next(call, request);
      const owned = { userId: call.userId, key };
      const requestHash = hashOf(call, request as Message);
      // Whatever the handler asks of other services it asks with the transaction open. The call's deadline bounds that.
      return database.asOne(
        async (em) => {
          if (!(await store.takeKey(em, owned, idleMs(call)))) throw inFlight();
          const known = await store.findAnswer(em, owned);
          if (known !== undefined) return replay(call, known, requestHash);
          const response = await next(call, request);
          if (response === undefined) throw internal(new Error(`${methodName(call.method)} gave no answer to keep`));
          if (!(await store.storeAnswer(em, owned, { requestHash, response }))) throw inFlight();
          return response;
        },
        { signal: call.signal },
      );
    },
  };
}

/** The key of a call that has one and whose method takes one. */
function keyOf(call: ServerCall): string | undefined {
  if (call.method.methodKind !== "unary" || !policyOf(call.method)?.idempotencyKey) return undefined;
  const key = call.header("idempotency-key");
  if (key === undefined || visible.test(key)) return key;
  throw invalidArgument("idempotency_key", "must be 1 to 255 visible ASCII characters");
}

/** Two calls are the same when method, message and If-Match are. */
function hashOf(call: ServerCall, request: Message): Buffer {
  return createHash("sha256")
    .update(`${methodName(call.method)}\0${call.header("if-match") ?? ""}\0`)
    .update(encode(call.method.input, request))
    .digest();
}

function replay(call: ServerCall, known: { requestHash: Buffer; response: Buffer }, requestHash: Buffer): Buffer {
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
