import { type EnvSchema, env, type Values } from "../env.ts";
import type { ConcurrencyLimitOptions } from "./concurrency-limit.ts";

export const overloadEnvironment = {
  overloadShed: env.boolean("OVERLOAD_SHED", { default: true }),
  overloadLoopDelay: env.seconds("OVERLOAD_LOOP_DELAY", { default: 0.03, min: 0.001, max: 10 }),
  overloadMinCalls: env.integer("OVERLOAD_MIN_CALLS", { default: 32, min: 1, max: 100_000 }),
  overloadMaxCalls: env.integer("OVERLOAD_MAX_CALLS", { default: 1_000, min: 1, max: 100_000 }),
} satisfies EnvSchema;

/** How a process bounds its calls under way; undefined: it takes all. */
export function overloadConfig(values: Values<typeof overloadEnvironment>): ConcurrencyLimitOptions | undefined {
  const { overloadShed, overloadLoopDelay, overloadMinCalls, overloadMaxCalls } = values;
  if (!overloadShed) return undefined;
  return {
    min: Math.min(overloadMinCalls, overloadMaxCalls),
    max: overloadMaxCalls,
    loopDelayMs: overloadLoopDelay * 1000,
  };
}
