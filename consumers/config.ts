import { type EnvSchema, env, type Reader, readEnv } from "#kit/env.ts";
import { parseSender, type Sender } from "./email/sender.ts";
import { type GroupName, groupNames, isGroupName } from "./groups.ts";

const groups: Reader<GroupName[]> = {
  ...env.list("CONSUMER_GROUPS"),
  expects: `some of ${groupNames.join(", ")}, between commas`,
  fallback: [...groupNames],
  parse: (text) => {
    const names = text.split(",").map((name) => name.trim());
    return names.every(isGroupName) ? [...new Set(names)] : undefined;
  },
};

const sender: Reader<Sender> = {
  ...env.string("MAIL_FROM"),
  expects: "a mail address, such as: Taskmesh <no-reply@example.org>",
  fallback: undefined,
  parse: parseSender,
};

export const environment = {
  host: env.string("HOST", { default: "127.0.0.1" }),
  adminPort: env.port("ADMIN_PORT", { default: 0 }),
  instanceId: env.string("SERVICE_INSTANCE_ID", { default: "consumers-1" }),
  groups,
  meshAddress: env.string("MESH_ADDRESS"),
  identityKeyFile: env.file("MESH_IDENTITY_KEY_FILE"),
  identityJwksFile: env.file("MESH_IDENTITY_JWKS_FILE"),
  databaseUrl: env.url("NOTIFICATION_DB_URL"),
  poolMin: env.integer("DB_POOL_MIN", { default: 2, min: 0, max: 1_000 }),
  poolMax: env.integer("DB_POOL_MAX", { default: 10, min: 1, max: 1_000 }),
  startTimeout: env.seconds("START_TIMEOUT", { default: 30 }),
  redisUrl: env.url("REDIS_URL"),
  kafkaBrokers: env.list("KAFKA_BROKERS"),
  kafkaPartitions: env.integer("KAFKA_PARTITIONS", { default: 12, min: 1, max: 1_000 }),
  smtpUrl: env.url("SMTP_URL"),
  mailFrom: sender,
  publicUrl: env.url("PUBLIC_URL"),
} satisfies EnvSchema;

export type ConsumersConfig = ReturnType<typeof readConfig>;

/** Throws a ConfigError with one line for each fault. */
export function readConfig(source?: Record<string, string | undefined>) {
  const values = readEnv(environment, source);
  return {
    instanceId: values.instanceId,
    listen: { host: values.host, adminPort: values.adminPort },
    groups: values.groups,
    mesh: {
      address: values.meshAddress,
      identity: { keyFile: values.identityKeyFile, jwksFile: values.identityJwksFile },
    },
    database: {
      url: values.databaseUrl,
      pool: { min: values.poolMin, max: values.poolMax },
      startTimeoutMs: values.startTimeout * 1_000,
    },
    redis: { url: values.redisUrl },
    kafka: { brokers: values.kafkaBrokers, partitions: values.kafkaPartitions },
    mail: { smtpUrl: values.smtpUrl, from: values.mailFrom, publicUrl: values.publicUrl },
  };
}
