import { type EnvSchema, env, readEnv } from "#kit/env.ts";
import { overloadConfig, overloadEnvironment } from "#kit/overload/config.ts";
import { redisSchemes } from "#kit/service-config.ts";
import { limitsConfig, limitsEnvironment } from "./limits/config.ts";

export const environment = {
  host: env.host("HOST", { default: "127.0.0.1" }),
  httpPort: env.port("GATEWAY_HTTP_PORT", { default: 0 }),
  grpcPort: env.port("GATEWAY_GRPC_PORT", { default: 0 }),
  adminPort: env.port("ADMIN_PORT", { default: 0 }),
  instanceId: env.instanceId("gateway"),
  meshAddress: env.address("MESH_ADDRESS"),
  identityKeyFile: env.file("MESH_IDENTITY_KEY_FILE"),
  identityJwksFile: env.file("MESH_IDENTITY_JWKS_FILE"),
  issuer: env.string("AUTH_ISSUER", { default: "taskmesh" }),
  redisUrl: env.optional(env.url("REDIS_URL", redisSchemes)),
  trustedHops: env.integer("GATEWAY_TRUSTED_HOPS", { default: 1, min: 0, max: 10 }),
  corsOrigins: env.list("GATEWAY_CORS_ORIGINS", { default: [] }),
  refreshTokenTtl: env.integer("AUTH_REFRESH_TOKEN_TTL", { default: 2_592_000, min: 1 }),
  streamHeartbeat: env.seconds("GATEWAY_STREAM_HEARTBEAT", { default: 15, min: 0.05, max: 60 }),
  streamPatience: env.seconds("GATEWAY_STREAM_PATIENCE", { default: 60, min: 0.05, max: 600 }),
  ...limitsEnvironment,
  ...overloadEnvironment,
} satisfies EnvSchema;

export type GatewayConfig = ReturnType<typeof readConfig>;

/** Of one address at a time, before RATE_LIMIT_SCALE. */
const connectionsPerAddress = 20;
/** A little more than the half hour after which Envoy lets go of a connection. */
const longestConnectionMs = 1_860_000;

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
    /** Counts calls, and tells of revoked sessions at once; without it each gateway counts alone, and asks for them. */
    redis: values.redisUrl === undefined ? undefined : { url: values.redisUrl },
    /** How many proxies of ours stand before the gateway: as many entries of x-forwarded-for are believed. */
    trustedHops: values.trustedHops,
    limits: limitsConfig(values),
    overload: overloadConfig(values),
    connections: {
      limit:
        values.preset === "off"
          ? Number.POSITIVE_INFINITY
          : Math.max(1, Math.round(connectionsPerAddress * values.scale)),
      longestMs: longestConnectionMs,
    },
    /** Streams by REST: after how much silence they show that they live, and how long nobody need take what is sent. */
    streams: { heartbeatMs: values.streamHeartbeat * 1000, patienceMs: values.streamPatience * 1000 },
    cors: { origins: values.corsOrigins },
    /** How long a browser keeps the cookie of its session, in seconds. */
    refreshTokenTtl: values.refreshTokenTtl,
  };
}
