import { env, readEnv } from "#kit/env.ts";
import { ensureKeys } from "../cli/runner/keys.ts";
import { writeEnvoyConfig } from "../envoy/config.ts";
import { envoyOptions } from "./compose.ts";

// Runs once before the containers start: makes the keys that are missing, and Envoy's configuration.
ensureKeys("/keys");
const { preset, scale } = readEnv({
  preset: env.string("RATE_LIMIT_PRESET", { default: "standard" }),
  scale: env.positive("RATE_LIMIT_SCALE", { default: 1 }),
});
await writeEnvoyConfig({ ...envoyOptions(), rateLimitScale: preset === "off" ? Number.POSITIVE_INFINITY : scale });
