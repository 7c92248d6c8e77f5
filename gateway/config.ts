import { type EnvSchema, env, readEnv } from "#kit/env.ts";

export const environment = {
  host: env.string("HOST", { default: "127.0.0.1" }),
  httpPort: env.port("GATEWAY_HTTP_PORT", { default: 0 }),
  grpcPort: env.port("GATEWAY_GRPC_PORT", { default: 0 }),
  adminPort: env.port("ADMIN_PORT", { default: 0 }),
  instanceId: env.string("SERVICE_INSTANCE_ID", { default: "gateway-1" }),
  meshAddress: env.string("MESH_ADDRESS"),
  identityKeyFile: env.file("MESH_IDENTITY_KEY_FILE"),
  identityJwksFile: env.file("MESH_IDENTITY_JWKS_FILE"),
  issuer: env.string("AUTH_ISSUER", { default: "taskmesh" }),
  redisUrl: env.optional(env.url("REDIS_URL")),
  trustedHops: env.integer("GATEWAY_TRUSTED_HOPS", { default: 1, min: 0, max: 10 }),
  corsOrigins: env.list("GATEWAY_CORS_ORIGINS", { default: [] }),
} satisfies EnvSchema;

export type GatewayConfig = ReturnType<typeof readConfig>;

/** Throws a ConfigError with one line for each fault. */
export function readConfig(source?: Record<string, string | undefined>) {
  const values = readEnv(environment, source);
  return {
    instanceId: values.instanceId,
    listen: { host: values.host, httpPort: values.httpPort, grpcPort: values.grpcPort, adminPort: values.adminPort },
    mesh: {
      address: values.meshAddress,
      identity: { keyFile: values.identityKeyFile, jwksFile: values.identityJwksFile },
    },
    tokens: { issuer: values.issuer },
    /** Tells of revoked sessions at once; without it they are asked for. */
    redis: values.redisUrl === undefined ? undefined : { url: values.redisUrl },
    /** How many proxies of ours stand before the gateway: as many entries of x-forwarded-for are believed. */
    trustedHops: values.trustedHops,
    cors: { origins: values.corsOrigins },
  };
}
