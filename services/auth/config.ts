import { keySecret } from "#kit/auth/key-secret.ts";
import { type EnvSchema, env, readEnv } from "#kit/env.ts";
import { baseEnvironment, nestBase } from "#kit/service-config.ts";
import { floor } from "./passwords/argon2.ts";

export const environment = {
  ...baseEnvironment("auth"),
  keySecret: keySecret("AUTH_KEY_SECRET_FILE"),
  keyRotation: env.seconds("AUTH_KEY_ROTATION", { default: 2_592_000, min: 5 }),
  accessTokenTtl: env.integer("AUTH_ACCESS_TOKEN_TTL", { default: 900, min: 1, max: 86_400 }),
  refreshTokenTtl: env.integer("AUTH_REFRESH_TOKEN_TTL", { default: 2_592_000, min: 1 }),
  refreshGrace: env.seconds("AUTH_REFRESH_GRACE", { default: 10, max: 60 }),
  revealAccounts: env.boolean("AUTH_REVEAL_ACCOUNTS", { default: false }),
  argon2Memory: env.integer("AUTH_ARGON2_MEMORY_KIB", { default: floor.memory, min: floor.memory, max: 1_048_576 }),
  argon2Passes: env.integer("AUTH_ARGON2_PASSES", { default: floor.passes, min: floor.passes, max: 16 }),
} satisfies EnvSchema;

export type AuthConfig = ReturnType<typeof readConfig>;

/** Throws a ConfigError with one line for each fault. */
export function readConfig(source?: Record<string, string | undefined>) {
  const values = readEnv(environment, source);
  const base = nestBase(values);
  const { pool } = base.database;
  return {
    ...base,
    // A call with an idempotency key works on two connections.
    database: { ...base.database, pool: { ...pool, max: Math.max(2, pool.max) } },
    keys: { secret: values.keySecret, rotation: values.keyRotation },
    /** Times in seconds. */
    tokens: {
      ...base.tokens,
      accessTtl: values.accessTokenTtl,
      refreshTtl: values.refreshTokenTtl,
      refreshGrace: values.refreshGrace,
    },
    passwords: { memory: values.argon2Memory, passes: values.argon2Passes, parallelism: floor.parallelism },
    revealAccounts: values.revealAccounts,
  };
}
