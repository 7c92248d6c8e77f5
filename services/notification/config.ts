import { type EnvSchema, env, readEnv } from "#kit/env.ts";
import { readServiceConfig, serviceEnvironment } from "#kit/service-config.ts";

const watchEnvironment = {
  heartbeat: env.seconds("NOTIFICATION_HEARTBEAT", { default: 15, min: 0.05, max: 60 }),
  watchers: env.integer("NOTIFICATION_WATCHERS", { default: 2_000, min: 1, max: 100_000 }),
  watchersPerPerson: env.integer("NOTIFICATION_WATCHERS_PER_PERSON", { default: 20, min: 1, max: 1_000 }),
} satisfies EnvSchema;

const base = serviceEnvironment("notification");

export const environment = { ...base, ...watchEnvironment };

export type NotificationConfig = ReturnType<typeof readConfig>;

/** Throws a ConfigError with one line for each fault. */
export function readConfig(source?: Record<string, string | undefined>) {
  const { heartbeat, watchers, watchersPerPerson } = readEnv(environment, source);
  return {
    ...readServiceConfig(base, source),
    /** The streams of WatchNotifications: when they are quiet for too long, and how many a process takes. */
    watch: { heartbeatMs: heartbeat * 1_000, limits: { total: watchers, perPerson: watchersPerPerson } },
  };
}
