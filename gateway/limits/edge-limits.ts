import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { RateClass } from "#gen/mesh/v1/options_pb.js";
import type { VerifiedToken } from "#kit/auth/tokens.ts";
import { clientNetwork } from "#kit/client-network.ts";
import { ServiceError } from "#kit/errors.ts";
import type { MethodPolicy } from "#kit/grpc/policy.ts";
import type { EdgeCall } from "../edge-call.ts";
import type { Verdict } from "./bucket.ts";
import { stateField } from "./fields.ts";
import type { Limiter } from "./limiter.ts";
import type { CallerKind, ClassName, Limit } from "./presets.ts";
import { type RuleOf, rulesOf } from "./rules.ts";

const classNames = {
  [RateClass.GENERAL]: "general",
  [RateClass.AUTH]: "auth",
  [RateClass.URGENT]: "urgent",
} as const satisfies Record<MethodPolicy["rateClass"], ClassName>;

/** How calls are counted at the edge, and what their answers say of it. */
export class EdgeLimits {
  readonly #limiter: Limiter;
  readonly #ruleOf: RuleOf;

  constructor(limits: readonly Limit[], limiter: Limiter) {
    this.#limiter = limiter;
    this.#ruleOf = rulesOf(limits);
  }

  /** Counts the call of an RPC, by the caller's address and by who it is. Throws RESOURCE_EXHAUSTED. */
  async countCall(call: EdgeCall, { rateClass, cost }: Costs, token: VerifiedToken | undefined): Promise<void> {
    const callerKey = token && (token.keyId === undefined ? `user:${token.userId}` : `key:${token.keyId}`);
    await this.#count(call, { kind: token?.tier ?? "anonymous", rateClass: classNames[rateClass], cost, callerKey });
  }

  /** Counts a look at a page of the edge's own. Throws RESOURCE_EXHAUSTED. */
  async countPage(call: EdgeCall): Promise<void> {
    await this.#count(call, { kind: "page", rateClass: "general", cost: 1 });
  }

  /** Counts a request for what does not exist. Throws RESOURCE_EXHAUSTED. */
  async countStray(call: EdgeCall): Promise<void> {
    await this.#count(call, { kind: "anonymous", rateClass: "general", cost: 1 });
  }

  async #count(call: EdgeCall, { kind, rateClass, cost, callerKey = "" }: Counted): Promise<void> {
    const { limits, policyField } = this.#ruleOf(kind, rateClass);
    if (limits.length === 0) return;
    const address = clientNetwork(call.clientAddress);
    const claims = limits.map((limit) => ({ limit, key: limit.per === "address" ? address : callerKey }));
    const verdicts = await this.#limiter.take(claims, cost);
    call.answerHeader("ratelimit-policy", policyField);
    call.answerHeader("ratelimit", stateField(verdicts));
    const refusals = verdicts.filter(({ allowed }) => !allowed);
    if (refusals.length > 0) throw tooManyCalls(refusals);
  }
}

export type Costs = Pick<MethodPolicy, "rateClass" | "cost">;

interface Counted {
  kind: CallerKind;
  rateClass: ClassName;
  cost: number;
  callerKey?: string | undefined;
}

function tooManyCalls(refusals: readonly Verdict[]): ServiceError {
  const waitMs = Math.max(...refusals.map(({ moreAfterMs }) => moreAfterMs));
  const names = refusals.map(({ limit }) => limit.name).join(", ");
  return new ServiceError({
    reason: ErrorReason.RATE_LIMITED,
    message: "too many calls: wait before the next one",
    metadata: { limits: names },
    retryAfterMs: waitMs,
  });
}
