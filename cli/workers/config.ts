import { type EnvSchema, env, readEnv } from "#kit/env.ts";

/** What the processes that share a port are told apart by, and how many they are. */
export function workersEnvironment(name: string) {
  return {
    workers: env.integer("WORKERS", { default: 1, min: 1, max: 64 }),
    adminPort: env.port("ADMIN_PORT", { default: 0 }),
    instanceId: env.instanceId(name),
  } satisfies EnvSchema;
}

export type WorkersConfig = ReturnType<typeof readWorkersConfig>;

/** Throws a ConfigError with one line for each fault. */
export function readWorkersConfig(name: string, source?: Record<string, string | undefined>) {
  return readEnv(workersEnvironment(name), source);
}
