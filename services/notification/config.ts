import { readServiceConfig, type ServiceConfig, serviceEnvironment } from "#kit/service-config.ts";

export const environment = serviceEnvironment("notification");

export type NotificationConfig = ServiceConfig;

/** Throws a ConfigError with one line for each fault. */
export function readConfig(source?: Record<string, string | undefined>): NotificationConfig {
  return readServiceConfig(environment, source);
}
