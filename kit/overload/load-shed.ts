import type { DescMethod } from "@bufbuild/protobuf";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { logger } from "#observability/logger.ts";
import { counter, observe } from "#observability/metrics.ts";
import { attributes } from "#observability/names.ts";
import { activeSpan, setAttributes } from "#observability/tracing.ts";
import { ServiceError } from "../errors.ts";
import { timeoutOf } from "../grpc/policy.ts";
import type { Lifecycle } from "../lifecycle.ts";
import { ConcurrencyLimit, type ConcurrencyLimitOptions } from "./concurrency-limit.ts";
import { type Priority, shares } from "./priority.ts";

const log = logger("overload");
const refusals = counter("taskmesh.overload.shed_calls");

const retryAfterMs = 1_000;
/** After so long without a refusal, the next one is told of again. */
const quietMs = 10_000;

/**
 * Takes as many calls as the process can do, and refuses the least important of the others at once. A refusal is
 * RESOURCE_EXHAUSTED: Envoy would send UNAVAILABLE to the next instance, and take this one out.
 */
export class LoadShed {
  readonly #limit: ConcurrencyLimit;
  readonly #lateShare: number;
  #refusedAt = Number.NEGATIVE_INFINITY;

  /** A call is late that took more than `lateShare` of the time that its method may take. */
  constructor(options: ConcurrencyLimitOptions, lifecycle: Lifecycle, lateShare = 0.05) {
    this.#limit = new ConcurrencyLimit(options);
    this.#lateShare = lateShare;
    const stop = [
      observe("taskmesh.overload.limit", (record) => record(this.#limit.limit)),
      observe("taskmesh.overload.in_flight", (record) => record(this.#limit.inFlight)),
    ];
    lifecycle.use("load shedding", this.#limit, (limit) => {
      for (const end of stop) end();
      limit.close();
    });
  }

  /** Whether a call would be taken just now. Throws RESOURCE_EXHAUSTED. */
  check(priority: Priority): void {
    if (!this.#limit.hasRoom(shares[priority])) throw this.#refuse(priority);
  }

  /** Counts what comes before a call while it runs; it says nothing of how long calls take. Throws what it throws. */
  async hold<T>(work: () => Promise<T>): Promise<T> {
    this.#limit.enter();
    try {
      return await work();
    } finally {
      this.#limit.leave(undefined, 0);
    }
  }

  /** Takes a unary call, and counts it while it runs. Throws RESOURCE_EXHAUSTED, and what it throws. */
  async run<T>(method: DescMethod, priority: Priority, call: () => Promise<T>): Promise<T> {
    this.check(priority);
    this.#limit.enter();
    const start = performance.now();
    let isWell = false;
    try {
      const answer = await call();
      isWell = true;
      return answer;
    } finally {
      const tookMs = performance.now() - start;
      const allowedMs = (timeoutOf(method) ?? Number.POSITIVE_INFINITY) * this.#lateShare;
      this.#limit.leave(isWell || tookMs > allowedMs ? tookMs : undefined, allowedMs);
    }
  }

  #refuse(priority: Priority): ServiceError {
    refusals.add(1, { [attributes.priority]: priority });
    const span = activeSpan();
    if (span) setAttributes(span, { [attributes.priority]: priority });
    const now = performance.now();
    const { limit, inFlight } = this.#limit;
    if (now - this.#refusedAt > quietMs) log.warn({ limit, inFlight }, "overloaded: calls are refused by priority");
    this.#refusedAt = now;
    return new ServiceError({
      reason: ErrorReason.OVERLOADED,
      message: "the server has too much to do; try again in a second",
      retryAfterMs,
    });
  }
}
