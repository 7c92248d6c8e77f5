import type { DescMethod } from "@bufbuild/protobuf";
import { logger } from "#observability/logger.ts";
import { counter, upDownCounter } from "#observability/metrics.ts";
import { attributes } from "#observability/names.ts";
import { Code, type ServiceError, unavailable } from "../errors.ts";
import { methodName } from "./definition.ts";
import { policyOf, timeoutOf } from "./policy.ts";

const log = logger("breaker");
const open = upDownCounter("taskmesh.breaker.open");
const opened = counter("taskmesh.breaker.opened");

/** So many in a row that hung and failed, and the next one is not waited for. */
const threshold = 10;
/** Only these hung: others failed soon, and cost nobody anything; or had a caller of little patience. */
const hangShare = 0.4;
const openMs = 500;

/**
 * A circuit breaker for each RPC that a process calls. Envoy takes out an instance that hangs; this is for an RPC that hangs
 * on all of them, so that not every caller waits for its deadline, and holds a place that calls of other RPCs could have.
 * Open for half a second at a time, then one call is let through, whose answer of any kind closes it.
 */
export class Breakers {
  readonly #breakers = new Map<DescMethod, Breaker>();
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Makes the call, or throws UNAVAILABLE at once while the RPC hangs. */
  async run<T>(method: DescMethod, call: () => Promise<T>): Promise<T> {
    const timeoutMs = timeoutOf(method);
    // Without a policy it is no RPC of ours: that of health speaks for many services.
    if (timeoutMs === undefined || policyOf(method) === undefined) return call();
    const breaker = this.#of(method);
    const start = this.#now();
    breaker.begin(start);
    try {
      const answer = await call();
      breaker.answered();
      return answer;
    } catch (error) {
      const end = this.#now();
      const { code } = error as Partial<ServiceError>;
      const isFailure = code === Code.UNAVAILABLE || code === Code.DEADLINE_EXCEEDED;
      if (isFailure && end - start >= timeoutMs * hangShare) breaker.hung(end);
      else if (isFailure || code === Code.CANCELLED) breaker.undecided();
      else breaker.answered();
      throw error;
    }
  }

  #of(method: DescMethod): Breaker {
    let breaker = this.#breakers.get(method);
    if (breaker === undefined) {
      breaker = new Breaker(methodName(method));
      const labels = { [attributes.rpcMethod]: methodName(method) };
      // Known from the first call on, so that the first opening is seen as a growth.
      open.add(0, labels);
      opened.add(0, labels);
      this.#breakers.set(method, breaker);
    }
    return breaker;
  }
}

class Breaker {
  readonly #method: string;
  #inARow = 0;
  /** When it was last opened; undefined while it is closed. */
  #openedAt: number | undefined;
  #isOnTrial = false;

  constructor(method: string) {
    this.#method = method;
  }

  begin(now: number): void {
    if (this.#openedAt === undefined) return;
    if (this.#isOnTrial || now - this.#openedAt < openMs) {
      throw unavailable("the service does not answer in time", undefined, openMs);
    }
    this.#isOnTrial = true;
  }

  answered(): void {
    this.#inARow = 0;
    if (this.#openedAt === undefined) return;
    this.#openedAt = undefined;
    this.#isOnTrial = false;
    open.add(-1, { [attributes.rpcMethod]: this.#method });
    log.info({ [attributes.rpcMethod]: this.#method }, "breaker closed: calls are answered again");
  }

  hung(now: number): void {
    this.#inARow += 1;
    if (this.#inARow < threshold) return;
    if (this.#openedAt === undefined) {
      open.add(1, { [attributes.rpcMethod]: this.#method });
      opened.add(1, { [attributes.rpcMethod]: this.#method });
      log.warn({ [attributes.rpcMethod]: this.#method }, "breaker open: calls hang, and are refused for now");
    }
    this.#openedAt = now;
    this.#isOnTrial = false;
  }

  undecided(): void {
    this.#isOnTrial = false;
  }
}
