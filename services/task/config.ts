import { readServiceConfig, type ServiceConfig, serviceEnvironment } from "#kit/service-config.ts";

export const environment = serviceEnvironment("task");

export type TaskConfig = ServiceConfig;

/** Throws a ConfigError with one line for each fault. */
export function readConfig(source?: Record<string, string | undefined>): TaskConfig {
  return readServiceConfig(environment, source);
}
