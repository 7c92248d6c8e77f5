import { keySecret } from "#kit/auth/key-secret.ts";
import { databaseConfig, databaseEnvironment } from "#kit/database-config.ts";
import { type EnvSchema, env, type Reader, readEnv } from "#kit/env.ts";
import { usualRetryDelaysMs } from "#kit/events/topics.ts";
import { outboundEnvironment, outboundPolicy } from "#kit/http/outbound-config.ts";
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

/** Of the signatures of Web Push: where the operators of push services find ours. */
const pushSubject: Reader<string | undefined> = env.optional({
  ...env.string("PUSH_SUBJECT"),
  expects: "a URL, mailto:… or https://…",
  parse: (text) => (/^(mailto:[^\s@]+@[^\s@]+|https:\/\/\S+)$/.test(text) && URL.canParse(text) ? text : undefined),
});

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
  pushKeyFile: env.file("PUSH_VAPID_KEY_FILE"),
  pushSubject,
  ...outboundEnvironment,
  webhookKeySecret: keySecret("WEBHOOK_KEY_SECRET_FILE"),
  webhookFailures: env.integer("WEBHOOK_DISABLE_FAILURES", { default: 10, min: 1, max: 1_000_000 }),
  webhookFailingFor: env.seconds("WEBHOOK_DISABLE_AFTER", { default: 3_600, min: 0, max: 31_536_000 }),
  reminderLate: env.seconds("REMINDER_LATE_LIMIT", { default: 86_400, min: 1, max: 31_622_400 }),
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
    /** The keys of Web Push, a JSON Web Key Set with the newest first; by default we are reached where mails come from. */
    push: { keyFile: values.pushKeyFile, subject: values.pushSubject ?? `mailto:${values.mailFrom.address}` },
    /** Where URLs that people gave may lead. */
    outbound: outboundPolicy(values),
    /** How late a reminder may still come, after a long stop; one that is later is dropped. */
    reminderLateSeconds: values.reminderLate,
    webhook: {
      /** What seals URLs and secrets of webhooks. */
      keySecret: values.webhookKeySecret,
      /** A webhook is disabled that failed so often in a row, and for so long. */
      patience: { failures: values.webhookFailures, seconds: values.webhookFailingFor },
    },
    /** Empty: no fault can be brought into the groups. */
    faultsFile: values.faultsFile,
  };
}
