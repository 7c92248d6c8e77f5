import { databaseConfig, databaseEnvironment } from "#kit/database-config.ts";
import { type EnvSchema, env, type Reader, readEnv } from "#kit/env.ts";
import { usualRetryDelaysMs } from "#kit/events/topics.ts";
import { redisSchemes } from "#kit/service-config.ts";
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

/** In seconds; the topics are named after the usual ones. */
const retryWaits: Reader<number[]> = {
  ...env.string("CONSUMER_RETRY_WAITS"),
  expects: `${usualRetryDelaysMs.length} numbers of seconds up to 86400, between commas`,
  fallback: usualRetryDelaysMs.map((ms) => ms / 1000),
  parse: (text) => {
    const waits = text.split(",").map((wait) => (wait.trim() === "" ? Number.NaN : Number(wait)));
    return waits.length === usualRetryDelaysMs.length && waits.every((wait) => wait >= 0 && wait <= 86_400)
      ? waits
      : undefined;
  },
};

const sender: Reader<Sender> = {
  ...env.string("MAIL_FROM"),
  expects: "a mail address, such as: Taskmesh <no-reply@example.org>",
  fallback: undefined,
  parse: parseSender,
};

export const environment = {
  host: env.host("HOST", { default: "127.0.0.1" }),
  adminPort: env.port("ADMIN_PORT", { default: 0 }),
  instanceId: env.instanceId("consumers"),
  groups,
  meshAddress: env.address("MESH_ADDRESS"),
  identityKeyFile: env.file("MESH_IDENTITY_KEY_FILE"),
  identityJwksFile: env.file("MESH_IDENTITY_JWKS_FILE"),
  ...databaseEnvironment("NOTIFICATION_DB_URL"),
  redisUrl: env.url("REDIS_URL", redisSchemes),
  kafkaBrokers: env.addresses("KAFKA_BROKERS"),
  kafkaPartitions: env.integer("KAFKA_PARTITIONS", { default: 12, min: 1, max: 1_000 }),
  retryWaits,
  smtpUrl: env.url("SMTP_URL", ["smtp", "smtps"]),
  mailFrom: sender,
  publicUrl: env.url("PUBLIC_URL", ["http", "https"]),
  faultsFile: env.string("FAULTS_FILE", { default: "" }),
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
    database: databaseConfig(values),
    redis: { url: values.redisUrl },
    kafka: { brokers: values.kafkaBrokers, partitions: values.kafkaPartitions },
    /** How long an event that failed waits before each further try. */
    retryDelaysMs: values.retryWaits.map((seconds) => seconds * 1000),
    mail: { smtpUrl: values.smtpUrl, from: values.mailFrom, publicUrl: values.publicUrl },
    /** Empty: no fault can be brought into the groups. */
    faultsFile: values.faultsFile,
  };
}
