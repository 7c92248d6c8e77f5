import { env, readEnv } from "#kit/env.ts";
import type { LbPolicy } from "../../../envoy/balancing.ts";
import { writeEnvoyConfig } from "../../../envoy/config.ts";
import { envoyOptions } from "../../compose/envoy.ts";

// Runs before Envoy in its pod, and writes its configuration into the volume that both see.
const { tls, preset, scale, shed, minCalls, policy } = readEnv({
  tls: env.boolean("EDGE_TLS", { default: false }),
  preset: env.string("RATE_LIMIT_PRESET", { default: "standard" }),
  policy: env.choice("LB_POLICY", ["least_request", "round_robin", "ip_hash"], { default: "least_request" }),
  scale: env.positive("RATE_LIMIT_SCALE", { default: 1 }),
  shed: env.boolean("OVERLOAD_SHED", { default: true }),
  minCalls: env.integer("OVERLOAD_MIN_CALLS", { default: 32, min: 1, max: 100_000 }),
});
await writeEnvoyConfig({
  ...envoyOptions({ tls }),
  lbPolicy: policy.toUpperCase() as LbPolicy,
  rateLimitScale: preset === "off" ? Number.POSITIVE_INFINITY : scale,
  shed,
  minCalls,
});
