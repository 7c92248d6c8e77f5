import { env, readEnv } from "#kit/env.ts";
import { overloadEnvironment } from "#kit/overload/config.ts";
import type { LbPolicy } from "../../../envoy/balancing.ts";
import { writeEnvoyConfig } from "../../../envoy/config.ts";
import { envoyOptions } from "../../compose/envoy.ts";

// Runs before Envoy in its pod, and writes its configuration into the volume that both see.
const { tls, preset, scale, shed, minCalls, policy } = readEnv({
  tls: env.boolean("EDGE_TLS", { default: false }),
  preset: env.string("RATE_LIMIT_PRESET", { default: "standard" }),
  policy: env.choice("LB_POLICY", ["least_request", "round_robin", "ip_hash"], { default: "least_request" }),
  scale: env.positive("RATE_LIMIT_SCALE", { default: 1 }),
  shed: overloadEnvironment.overloadShed,
  minCalls: overloadEnvironment.overloadMinCalls,
});
await writeEnvoyConfig({
  ...envoyOptions({ tls }),
  lbPolicy: policy.toUpperCase() as LbPolicy,
  rateLimitScale: preset === "off" ? Number.POSITIVE_INFINITY : scale,
  shed,
  minCalls,
});
