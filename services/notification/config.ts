import { keySecret } from "#kit/auth/key-secret.ts";
import { type EnvSchema, env, readEnv } from "#kit/env.ts";
import { outboundEnvironment, outboundPolicy } from "#kit/http/outbound-config.ts";
import { readServiceConfig, serviceEnvironment } from "#kit/service-config.ts";

const watchEnvironment = {
  heartbeat: env.seconds("NOTIFICATION_HEARTBEAT", { default: 15, min: 0.05, max: 60 }),
  watchers: env.integer("NOTIFICATION_WATCHERS", { default: 2_000, min: 1, max: 100_000 }),
  watchersPerPerson: env.integer("NOTIFICATION_WATCHERS_PER_PERSON", { default: 20, min: 1, max: 1_000 }),
} satisfies EnvSchema;

const base = serviceEnvironment("notification");

const outwardEnvironment = {
  ...outboundEnvironment,
  pushKeyFile: env.file("PUSH_VAPID_KEY_FILE"),
  webhookKeySecret: keySecret("WEBHOOK_KEY_SECRET_FILE"),
} satisfies EnvSchema;

const alertEnvironment = {
  alertRepeat: env.seconds("ALERT_REPEAT", { default: 60, min: 0.1, max: 86_400 }),
  alertRepeats: env.integer("ALERT_REPEATS", { default: 5, min: 0, max: 100 }),
} satisfies EnvSchema;

export const environment = { ...base, ...watchEnvironment, ...outwardEnvironment, ...alertEnvironment };

export type NotificationConfig = ReturnType<typeof readConfig>;

/** Throws a ConfigError with one line for each fault. */
export function readConfig(source?: Record<string, string | undefined>) {
  const { heartbeat, watchers, watchersPerPerson, pushKeyFile, ...values } = readEnv(environment, source);
  return {
    ...readServiceConfig(base, source),
    /** The streams of WatchNotifications: when they are quiet for too long, and how many a process takes. */
    watch: { heartbeatMs: heartbeat * 1_000, limits: { total: watchers, perPerson: watchersPerPerson } },
    /** The keys of Web Push, a JSON Web Key Set with the newest first. */
    push: { keyFile: pushKeyFile },
    /** What seals URLs and secrets of webhooks. */
    webhook: { keySecret: values.webhookKeySecret },
    /** Where URLs that people give may lead. */
    outbound: outboundPolicy(values),
    /** How often those are told who have not acknowledged an alert. */
    alertPace: { everySeconds: values.alertRepeat, repeats: values.alertRepeats },
  };
}
