import { readServiceConfig, type ServiceConfig, serviceEnvironment } from "#kit/service-config.ts";

export const environment = serviceEnvironment("user");

export type UserConfig = ServiceConfig;

/** Throws a ConfigError with one line for each fault. */
export function readConfig(source?: Record<string, string | undefined>): UserConfig {
  return readServiceConfig(environment, source);
}
