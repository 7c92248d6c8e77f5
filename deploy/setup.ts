import { env, readEnv } from "#kit/env.ts";
import { overloadEnvironment } from "#kit/overload/config.ts";
import { writeEnvoyConfig } from "../envoy/config.ts";
import { localHealth } from "../envoy/options.ts";
import { envoyOptions } from "./compose/envoy.ts";
import { oneServer, serverPerDatabase } from "./compose/places.ts";
import { handOutKeys } from "./keys.ts";

// Runs once before the containers start: makes the secrets that are missing, gives each container its own, and writes
// Envoy's configuration.
const { preset, scale, servers, shed, minCalls, tls } = readEnv({
  preset: env.string("RATE_LIMIT_PRESET", { default: "standard" }),
  scale: env.positive("RATE_LIMIT_SCALE", { default: 1 }),
  servers: env.choice("DATABASE_SERVERS", ["one", "each"], { default: "one" }),
  shed: overloadEnvironment.overloadShed,
  minCalls: overloadEnvironment.overloadMinCalls,
  tls: env.boolean("EDGE_TLS", { default: false }),
});
handOutKeys(servers === "each" ? serverPerDatabase : oneServer);
const rateLimitScale = preset === "off" ? Number.POSITIVE_INFINITY : scale;
// All containers are on one machine: a new one gets traffic at once.
await writeEnvoyConfig({ ...envoyOptions({ tls }), health: localHealth, rateLimitScale, shed, minCalls });
