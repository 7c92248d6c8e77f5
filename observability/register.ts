/** Loaded before a process's own modules: `node --import ./observability/register.ts services/task/main.ts`. */
import { enableCompileCache } from "node:module";
import { ConfigError } from "#kit/env.ts";
import { readTelemetryConfig } from "./config.ts";
import { startTelemetry } from "./telemetry.ts";

// Types are stripped and modules compiled once for all processes of this checkout.
enableCompileCache();

try {
  await startTelemetry(readTelemetryConfig());
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
