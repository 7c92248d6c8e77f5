import { type EnvSchema, env, readEnv, type Values } from "./env.ts";

/** What a service of the mesh reads that has a database of its own and verifies tokens: `name` is the service's, "task". */
export function serviceEnvironment(name: string) {
  return {
    host: env.string("HOST", { default: "127.0.0.1" }),
    grpcPort: env.port("GRPC_PORT", { default: 0 }),
    adminPort: env.port("ADMIN_PORT", { default: 0 }),
    instanceId: env.string("SERVICE_INSTANCE_ID", { default: `${name}-1` }),
    meshAddress: env.string("MESH_ADDRESS"),
    identityKeyFile: env.file("MESH_IDENTITY_KEY_FILE"),
    identityJwksFile: env.file("MESH_IDENTITY_JWKS_FILE"),
    issuer: env.string("AUTH_ISSUER", { default: "taskmesh" }),
    databaseUrl: env.url(`${name.toUpperCase()}_DB_URL`),
    poolMin: env.integer("DB_POOL_MIN", { default: 2, min: 0, max: 1_000 }),
    poolMax: env.integer("DB_POOL_MAX", { default: 10, min: 1, max: 1_000 }),
    startTimeout: env.seconds("START_TIMEOUT", { default: 30 }),
    redisUrl: env.url("REDIS_URL"),
    kafkaBrokers: env.list("KAFKA_BROKERS"),
    etagMode: env.choice("ETAG_MODE", ["advisory", "required"], { default: "advisory" }),
    kafkaPartitions: env.integer("KAFKA_PARTITIONS", { default: 12, min: 1, max: 1_000 }),
  } satisfies EnvSchema;
}

export type ServiceConfig = ReturnType<typeof readServiceConfig>;

/** Reads that schema, nested by concern. Throws a ConfigError with one line for each fault. */
export function readServiceConfig(
  environment: ReturnType<typeof serviceEnvironment>,
  source?: Record<string, string | undefined>,
) {
  const values: Values<typeof environment> = readEnv(environment, source);
  return {
    instanceId: values.instanceId,
    listen: { host: values.host, grpcPort: values.grpcPort, adminPort: values.adminPort },
    mesh: {
      address: values.meshAddress,
      identity: { keyFile: values.identityKeyFile, jwksFile: values.identityJwksFile },
    },
    tokens: { issuer: values.issuer },
    database: {
      url: values.databaseUrl,
      pool: { min: values.poolMin, max: values.poolMax },
      startTimeoutMs: values.startTimeout * 1_000,
    },
    redis: { url: values.redisUrl },
    /** Whether a change of a resource must say which version it was made from. */
    etagMode: values.etagMode,
    kafka: { brokers: values.kafkaBrokers, partitions: values.kafkaPartitions },
  };
}
