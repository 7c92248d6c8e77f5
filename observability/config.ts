import { hostname } from "node:os";
import { type EnvSchema, env, readEnv } from "#kit/env.ts";

const logLevels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"];

/** What telemetry reads from the environment of every process. */
export const environment = {
  serviceName: env.string("SERVICE_NAME", { default: "taskmesh" }),
  serviceInstanceId: env.string("SERVICE_INSTANCE_ID", { default: "" }),
  logLevel: {
    ...env.string("LOG_LEVEL", { default: "info" }),
    expects: `one of ${logLevels.join(", ")}`,
    parse: (text) => (logLevels.includes(text) ? text : undefined),
  },
  logErrorFile: env.optional(env.string("LOG_ERROR_FILE")),
  adminPort: env.port("ADMIN_PORT", { default: 0 }),
  otlpEndpoint: env.optional(env.url("OTEL_EXPORTER_OTLP_ENDPOINT", ["http", "https"])),
  sampleRatio: env.ratio("OTEL_TRACES_SAMPLER_ARG", { default: 1 }),
} satisfies EnvSchema;

export interface TelemetryConfig {
  /** Who speaks: on every span, log line and metric. */
  resource: { name: string; instanceId: string };
  logLevel: string;
  /** Where lines of the level error and above go beside standard error. */
  logErrorFile?: string | undefined;
  /** False when the process has no admin page: nothing could read its metrics. */
  metrics: boolean;
  /** Undefined when tracing is off. */
  traces: { endpoint: string; sampleRatio: number } | undefined;
}

export function readTelemetryConfig(source: Record<string, string | undefined> = process.env): TelemetryConfig {
  const values = readEnv(environment, source);
  return {
    resource: {
      name: values.serviceName,
      instanceId: values.serviceInstanceId || `${values.serviceName}-${hostname()}`,
    },
    logLevel: values.logLevel,
    logErrorFile: values.logErrorFile || undefined,
    metrics: values.adminPort !== 0,
    traces: (values.otlpEndpoint && { endpoint: values.otlpEndpoint, sampleRatio: values.sampleRatio }) || undefined,
  };
}
