import { setTimeout as sleep } from "node:timers/promises";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import type { Database } from "#kit/db/database.ts";
import { flushed, type Position, parsePosition, unknownPosition } from "#kit/db/position.ts";
import type { ReadReplica } from "#kit/db/read-replica.ts";
import { Code, ServiceError } from "#kit/errors.ts";
import type { Handle, ServerInterceptor } from "#kit/grpc/interceptors/interceptor.ts";
import { policyOf } from "#kit/grpc/policy.ts";
import type { ServerCall } from "#kit/grpc/server-call.ts";
import type { Redis } from "#kit/redis/redis.ts";
import { counter } from "#observability/metrics.ts";
import { WriteMarks } from "./marks.ts";
import { consistencyHeader, positionFor, tokenOf } from "./token.ts";

const { NO_SIDE_EFFECTS: noSideEffects } = MethodOptions_IdempotencyLevel;
const reads = counter("taskmesh.db.reads");
const atReplica = { "taskmesh.db.server": "replica" } as const;
const atPrimary = { "taskmesh.db.server": "primary" } as const;

/** A replica that takes longer is not waited for: the primary is asked. */
const patienceMs = 300;

export interface ReplicaReadsOptions {
  /** As its database is named: "task". */
  service: string;
  database: Database;
  replica: ReadReplica;
  redis: Redis;
  marks?: Pick<WriteMarks, "note" | "newestFor">;
}

/**
 * Answers the reads that the proto allows to (`replica` of mesh.v1.Policy) from the database's replica, when it shows all
 * that the caller has written and is no further behind than it may be. Whatever goes wrong there, the primary is asked:
 * a replica's error is never an answer, NOT_FOUND included. Every write leaves a mark of its user, and tells its place
 * in the header `consistency-token`, by which programs can ask for it too.
 */
export function replicaReads(options: ReplicaReadsOptions): ServerInterceptor {
  const { service, database, replica, redis } = options;
  const marks = options.marks ?? new WriteMarks(redis, service, 2 * replica.maxLagMs + 1_000);

  const read = async (call: ServerCall, request: Parameters<Handle>[1], next: Handle) => {
    const asked = positionFor(service, call.header(consistencyHeader));
    const written = await marks.newestFor(call.userId);
    if ((await replica.serves(written)) && (await replica.serves(asked))) {
      const { answer, error } = await untilImpatient(database.onReplica(() => next(call, request)));
      if (answer !== undefined) {
        reads.add(1, atReplica);
        return answer;
      }
      if (call.abortReason !== undefined) throw call.abortReason;
      if (!(error instanceof ServiceError) || error.code === Code.UNAVAILABLE) replica.doubt();
    }
    reads.add(1, atPrimary);
    return next(call, request);
  };

  const write = async (call: ServerCall, request: Parameters<Handle>[1], next: Handle) => {
    const answer = await next(call, request);
    const position = await positionOf(database);
    const userId = call.caller.kind === "user" ? call.caller.userId : undefined;
    // Without its mark, others' instances are to know of it only by time.
    await marks.note(userId, position).catch(() => untilReplayed(replica, position));
    if (position !== unknownPosition) call.responseHeader(consistencyHeader, tokenOf(service, position));
    return answer;
  };

  return {
    name: "replica-reads",
    wrap: (next) => (call, request) => {
      const { method } = call;
      if (method.methodKind !== "unary") return next(call, request);
      if (method.idempotency !== noSideEffects) return write(call, request, next);
      const mayBeOld = policyOf(method)?.replica === true && call.caller.kind === "user" && !call.mustBeCurrent;
      return mayBeOld ? read(call, request, next) : next(call, request);
    },
  };
}

/** After a commit: not before its own place. */
async function positionOf(database: Database): Promise<Position> {
  try {
    const [row] = await database.query<{ position: string }>(flushed);
    return parsePosition(row?.position ?? "");
  } catch {
    return unknownPosition;
  }
}

/** Waits until the replica shows it, or is so far behind that it serves nobody. */
async function untilReplayed(replica: ReadReplica, position: Position): Promise<void> {
  const end = performance.now() + replica.maxLagMs;
  while (performance.now() < end && !(await replica.serves(position))) await sleep(20);
}

/** What the replica answered; neither answer nor error when it takes too long. */
async function untilImpatient(attempt: ReturnType<Handle>): Promise<{ answer?: Buffer | undefined; error?: unknown }> {
  const done = new AbortController();
  const impatience = sleep(patienceMs, {}, { signal: done.signal, ref: false }).catch(() => ({}));
  const outcome = attempt.then(
    (answer) => ({ answer }),
    (error: unknown) => ({ error }),
  );
  try {
    return await Promise.race([outcome, impatience]);
  } finally {
    done.abort();
  }
}
