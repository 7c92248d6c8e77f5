import { databaseConfig, databaseEnvironment, replicaConfig, replicaEnvironment } from "./database-config.ts";
import { type EnvSchema, env, readEnv, type Values } from "./env.ts";
import { overloadConfig, overloadEnvironment } from "./overload/config.ts";

export const redisSchemes = ["redis", "rediss"];

/** What every service of the mesh reads: `name` is the service's, "task". */
export function baseEnvironment(name: string) {
  return {
    host: env.host("HOST", { default: "127.0.0.1" }),
    grpcPort: env.port("GRPC_PORT", { default: 0 }),
    adminPort: env.port("ADMIN_PORT", { default: 0 }),
    instanceId: env.instanceId(name),
    meshAddress: env.address("MESH_ADDRESS"),
    identityKeyFile: env.file("MESH_IDENTITY_KEY_FILE"),
    identityJwksFile: env.file("MESH_IDENTITY_JWKS_FILE"),
    issuer: env.string("AUTH_ISSUER", { default: "taskmesh" }),
    ...databaseEnvironment(`${name.toUpperCase()}_DB_URL`),
    ...replicaEnvironment(`${name.toUpperCase()}_DB_READ_URL`),
    redisUrl: env.url("REDIS_URL", redisSchemes),
    kafkaBrokers: env.addresses("KAFKA_BROKERS"),
    kafkaPartitions: env.integer("KAFKA_PARTITIONS", { default: 12, min: 1, max: 1_000 }),
    ...overloadEnvironment,
  } satisfies EnvSchema;
}

type BaseEnvironment = ReturnType<typeof baseEnvironment>;
export type BaseServiceConfig = ReturnType<typeof nestBase>;

/** The values of that schema, nested by concern. */
export function nestBase(values: Values<BaseEnvironment>) {
  return {
    instanceId: values.instanceId,
    listen: { host: values.host, grpcPort: values.grpcPort, adminPort: values.adminPort },
    mesh: {
      address: values.meshAddress,
      identity: { keyFile: values.identityKeyFile, jwksFile: values.identityJwksFile },
    },
    tokens: { issuer: values.issuer },
    database: { ...databaseConfig(values), replica: replicaConfig(values) },
    redis: { url: values.redisUrl },
    kafka: { brokers: values.kafkaBrokers, partitions: values.kafkaPartitions },
    overload: overloadConfig(values),
  };
}

/** What a service reads whose resources have versions. */
export function serviceEnvironment(name: string) {
  return {
    ...baseEnvironment(name),
    etagMode: env.choice("ETAG_MODE", ["advisory", "required"], { default: "advisory" }),
  } satisfies EnvSchema;
}

export type ServiceConfig = ReturnType<typeof readServiceConfig>;

/** Reads that schema. Throws a ConfigError with one line for each fault. */
export function readServiceConfig(
  environment: ReturnType<typeof serviceEnvironment>,
  source?: Record<string, string | undefined>,
) {
  return nestService(readEnv(environment, source));
}

/** The values of that schema, nested by concern. */
export function nestService(values: Values<ReturnType<typeof serviceEnvironment>>) {
  return {
    ...nestBase(values),
    /** Whether a change of a resource must say which version it was made from. */
    etagMode: values.etagMode,
  };
}
