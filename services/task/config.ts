import { type EnvSchema, env, readEnv } from "#kit/env.ts";
import { nestService, serviceEnvironment } from "#kit/service-config.ts";

export const environment = {
  ...serviceEnvironment("task"),
  listCacheTtl: env.seconds("TASK_LIST_CACHE_TTL", { default: 300, max: 86_400 }),
  statsCacheTtl: env.seconds("TASK_STATS_CACHE_TTL", { default: 60, max: 86_400 }),
  activityDays: env.integer("ACTIVITY_RETENTION_DAYS", { default: 400, min: 31, max: 36_500 }),
  profileCacheTtl: env.seconds("USER_PROFILE_CACHE_TTL", { default: 3_600, max: 86_400 }),
} satisfies EnvSchema;

export type TaskConfig = ReturnType<typeof readConfig>;

/** Throws a ConfigError with one line for each fault. */
export function readConfig(source?: Record<string, string | undefined>) {
  const values = readEnv(environment, source);
  return {
    ...nestService(values),
    /** For how many days what happened to a task is kept at least. */
    activityDays: values.activityDays,
    /** How long answers are kept, in milliseconds; 0 keeps none. */
    cache: {
      listMs: values.listCacheTtl * 1_000,
      statsMs: values.statsCacheTtl * 1_000,
      profileMs: values.profileCacheTtl * 1_000,
    },
  };
}
