import { createHash } from "node:crypto";
import { type DescMethod, type Message, toBinary } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { type CacheName, countLookup } from "#kit/cache-lookups.ts";
import { consistencyHeader } from "#kit/consistency/token.ts";
import type { Handle, ServerInterceptor } from "#kit/grpc/interceptors/interceptor.ts";
import type { ServerCall } from "#kit/grpc/server-call.ts";
import type { AnswerCache, Place } from "./answer-cache.ts";
import { writing } from "./touches.ts";

const { NO_SIDE_EFFECTS: noSideEffects } = MethodOptions_IdempotencyLevel;

/** A read whose answers are kept: nothing but the request, the user and what the user's writes touch may go into them. */
export interface KeptRead {
  method: DescMethod;
  /** In the metrics. */
  name: CacheName;
  /** How long an answer is good at most, in milliseconds; 0 keeps none. */
  keepMs: number;
}

type Request = Parameters<Handle>[1];

/**
 * Answers reads from the cache, with the bytes of the last answer to the same request. Writes say for whom they change
 * something by `touches`, and are answered once the cache has heard. Same reads at the same time are done once.
 */
export function answerCache(cache: AnswerCache, reads: readonly KeptRead[]): ServerInterceptor {
  const kept = new Map(reads.filter(({ keepMs }) => keepMs > 0).map((read) => [read.method, read]));
  const longestMs = Math.max(0, ...[...kept.values()].map(({ keepMs }) => keepMs));
  const underWay = new Map<string, Promise<Buffer | undefined>>();

  const fill = (next: () => ReturnType<Handle>, gap: Gap): Promise<Buffer | undefined> => {
    const { userId, field, version, keepMs } = gap;
    const id = `${userId} ${version} ${field}`;
    const shared = underWay.get(id);
    // Whose read fails is no concern of those who wait for it: they read for themselves.
    if (shared !== undefined) return shared.catch(next);
    const read = next();
    underWay.set(id, read);
    void read
      .then((answer) => answer && cache.keep(userId, { field, version }, answer, keepMs))
      .catch(() => {})
      .finally(() => underWay.delete(id));
    return read;
  };

  const read = async (call: ServerCall, request: Request, { next, kind }: { next: Handle; kind: KeptRead }) => {
    // Whoever asks for a place in the log gets what the database shows there.
    if (call.header(consistencyHeader) !== undefined) return next(call, request);
    const { userId, method } = call;
    const { name, keepMs } = kind;
    const field = fieldOf(method, request as Message);
    const { answer, version } = await cache.look(userId, field, longestMs);
    countLookup(name, answer !== undefined);
    if (answer !== undefined) return answer;
    if (version === undefined) return next(call, request);
    // A replica may not show yet what somebody else has written, and the answer stays for long.
    call.mustBeCurrent = true;
    return fill(() => next(call, request), { userId, field, version, keepMs });
  };

  const write = async (call: ServerCall, request: Request, next: Handle) => {
    const change = cache.change();
    const answer = await writing.run(change, () => next(call, request));
    await change.committed();
    return answer;
  };

  return {
    name: "answer-cache",
    wrap: (next) => (call, request) => {
      const { method, caller } = call;
      if (method.methodKind !== "unary") return next(call, request);
      if (method.idempotency !== noSideEffects) return write(call, request, next);
      const kind = kept.get(method);
      return kind !== undefined && caller.kind === "user" ? read(call, request, { next, kind }) : next(call, request);
    },
  };
}

/** Where a read is to be kept. */
interface Gap extends Place {
  userId: string;
  keepMs: number;
}

/** The same for the same request, of a fixed length, and without a word of it. */
function fieldOf(method: DescMethod, request: Message): string {
  return createHash("sha256")
    .update(method.name)
    .update("\0")
    .update(toBinary(method.input, request))
    .digest("base64url")
    .slice(0, 22);
}
