import { ConfigError, type EnvSchema, env, readEnv } from "#kit/env.ts";
import { floor } from "./passwords/argon2.ts";

export const environment = {
  host: env.string("HOST", { default: "127.0.0.1" }),
  grpcPort: env.port("GRPC_PORT", { default: 0 }),
  adminPort: env.port("ADMIN_PORT", { default: 0 }),
  instanceId: env.string("SERVICE_INSTANCE_ID", { default: "auth-1" }),
  meshAddress: env.string("MESH_ADDRESS"),
  identityKeyFile: env.file("MESH_IDENTITY_KEY_FILE"),
  identityJwksFile: env.file("MESH_IDENTITY_JWKS_FILE"),
  databaseUrl: env.url("AUTH_DB_URL"),
  poolMin: env.integer("DB_POOL_MIN", { default: 2, min: 0, max: 1_000 }),
  poolMax: env.integer("DB_POOL_MAX", { default: 10, min: 1, max: 1_000 }),
  startTimeout: env.seconds("START_TIMEOUT", { default: 30 }),
  redisUrl: env.url("REDIS_URL"),
  kafkaBrokers: env.list("KAFKA_BROKERS"),
  kafkaPartitions: env.integer("KAFKA_PARTITIONS", { default: 12, min: 1, max: 1_000 }),
  keySecret: env.secretFile("AUTH_KEY_SECRET_FILE"),
  keyRotation: env.seconds("AUTH_KEY_ROTATION", { default: 2_592_000, min: 5 }),
  issuer: env.string("AUTH_ISSUER", { default: "taskmesh" }),
  accessTokenTtl: env.integer("AUTH_ACCESS_TOKEN_TTL", { default: 900, min: 1, max: 86_400 }),
  refreshTokenTtl: env.integer("AUTH_REFRESH_TOKEN_TTL", { default: 2_592_000, min: 1 }),
  refreshGrace: env.seconds("AUTH_REFRESH_GRACE", { default: 10, max: 60 }),
  revealAccounts: env.boolean("AUTH_REVEAL_ACCOUNTS", { default: false }),
  argon2Memory: env.integer("AUTH_ARGON2_MEMORY_KIB", { default: floor.memory, min: floor.memory, max: 1_048_576 }),
  argon2Passes: env.integer("AUTH_ARGON2_PASSES", { default: floor.passes, min: floor.passes, max: 16 }),
} satisfies EnvSchema;

export type AuthConfig = ReturnType<typeof readConfig>;

/** Throws a ConfigError with one line for each fault. */
export function readConfig(source?: Record<string, string | undefined>) {
  const values = readEnv(environment, source);
  return {
    instanceId: values.instanceId,
    listen: { host: values.host, grpcPort: values.grpcPort, adminPort: values.adminPort },
    mesh: {
      address: values.meshAddress,
      identity: { keyFile: values.identityKeyFile, jwksFile: values.identityJwksFile },
    },
    database: {
      url: values.databaseUrl,
      // A call with an idempotency key works on two connections.
      pool: { min: values.poolMin, max: Math.max(2, values.poolMax) },
      startTimeoutMs: values.startTimeout * 1_000,
    },
    redis: { url: values.redisUrl },
    kafka: { brokers: values.kafkaBrokers, partitions: values.kafkaPartitions },
    keys: { secret: readSecret(values.keySecret), rotation: values.keyRotation },
    /** Times in seconds. */
    tokens: {
      issuer: values.issuer,
      accessTtl: values.accessTokenTtl,
      refreshTtl: values.refreshTokenTtl,
      refreshGrace: values.refreshGrace,
    },
    passwords: { memory: values.argon2Memory, passes: values.argon2Passes, parallelism: floor.parallelism },
    revealAccounts: values.revealAccounts,
  };
}

function readSecret(text: string): Buffer {
  const secret = Buffer.from(text, "base64");
  if (secret.length !== 32) throw new ConfigError("AUTH_KEY_SECRET_FILE is wrong: it must hold 32 bytes in base64");
  return secret;
}
