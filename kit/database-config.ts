import { type EnvSchema, env, type Values } from "./env.ts";

/** What a process reads that has a database; `variable` names the one of its URL. */
export function databaseEnvironment(variable: string) {
  return {
    databaseUrl: env.url(variable, ["postgres", "postgresql"]),
    databasePoolerUrl: env.optional(env.url(variable.replace(/_URL$/, "_POOLER_URL"), ["postgres", "postgresql"])),
    poolMin: env.integer("DB_POOL_MIN", { default: 2, min: 0, max: 1_000 }),
    poolMax: env.integer("DB_POOL_MAX", { default: 10, min: 1, max: 1_000 }),
    poolAcquireTimeout: env.seconds("DB_POOL_ACQUIRE_TIMEOUT", { default: 1.5, min: 0.5, max: 600 }),
    poolIdleTimeout: env.seconds("DB_POOL_IDLE_TIMEOUT", { default: 10, min: 1, max: 3_600 }),
    startTimeout: env.seconds("START_TIMEOUT", { default: 30, max: 3_600 }),
  } satisfies EnvSchema;
}

/** The same, as the database takes it. */
export function databaseConfig(values: Values<ReturnType<typeof databaseEnvironment>>) {
  return {
    url: driverUrl(values.databasePoolerUrl ?? values.databaseUrl),
    /** Past the pooler, if there is one. */
    directUrl: driverUrl(values.databaseUrl),
    pool: {
      min: Math.min(values.poolMin, values.poolMax),
      max: values.poolMax,
      acquireMs: values.poolAcquireTimeout * 1_000,
      idleMs: values.poolIdleTimeout * 1_000,
    },
    startTimeoutMs: values.startTimeout * 1_000,
  };
}

/** Without the parameters that are about the pool, and with `sslmode` meaning what it means to libpq: require does not verify. */
function driverUrl(text: string): string {
  const url = new URL(text);
  for (const name of ["connection_limit", "pool_timeout"]) url.searchParams.delete(name);
  if (url.searchParams.has("sslmode")) url.searchParams.set("uselibpqcompat", "true");
  return url.href;
}

/** What a process reads beside that which may read from a replica of its database. */
export function replicaEnvironment(variable: string) {
  return {
    databaseReadUrl: env.optional(env.url(variable, ["postgres", "postgresql"])),
    maxReadLag: env.seconds("DB_READ_MAX_LAG", { default: 2, min: 0.1, max: 60 }),
  } satisfies EnvSchema;
}

/** The same, as the database takes it. */
export function replicaConfig({ databaseReadUrl, maxReadLag }: Values<ReturnType<typeof replicaEnvironment>>) {
  return databaseReadUrl === undefined
    ? undefined
    : { url: driverUrl(databaseReadUrl), maxLagMs: Math.round(maxReadLag * 1_000) };
}
