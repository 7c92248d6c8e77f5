import { ConfigError, type EnvSchema, env, type Values } from "#kit/env.ts";
import { type Limit, presetNames, presets } from "./presets.ts";
import { adjust } from "./rules.ts";

export const limitsEnvironment = {
  preset: env.choice("RATE_LIMIT_PRESET", presetNames, { default: "standard" }),
  scale: env.positive("RATE_LIMIT_SCALE", { default: 1 }),
  overrides: env.list("RATE_LIMIT_OVERRIDES", { default: [] }),
  redisPatience: env.seconds("RATE_LIMIT_REDIS_PATIENCE", { default: 0.05 }),
  nodeEnv: env.string("NODE_ENV", { default: "development" }),
} satisfies EnvSchema;

export interface LimitsConfig {
  limits: readonly Limit[];
  /** What a call waits for Redis at most, in milliseconds; then it is counted in this process. */
  patienceMs: number;
}

/** The limits that the environment asks for. Throws a ConfigError. */
export function limitsConfig(values: Values<typeof limitsEnvironment>): LimitsConfig {
  return { limits: limitsOf(values), patienceMs: values.redisPatience * 1000 };
}

function limitsOf({ preset, scale, overrides, nodeEnv }: Values<typeof limitsEnvironment>): Limit[] {
  if (preset === "off" && nodeEnv === "production") {
    throw new ConfigError("RATE_LIMIT_PRESET is wrong: it must not be off while NODE_ENV is production");
  }
  const limits = adjust(presets[preset], overrides, scale);
  if (typeof limits === "string") throw new ConfigError(`RATE_LIMIT_OVERRIDES is wrong: ${limits}`);
  return limits;
}
