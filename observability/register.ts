/** Loaded before a process's own modules: `node --import ./observability/register.ts services/task/main.ts`. */
import { enableCompileCache, flushCompileCache } from "node:module";
import { ConfigError } from "#kit/env.ts";
import { readTelemetryConfig } from "./config.ts";
import { startTelemetry } from "./telemetry.ts";

// Types are stripped and modules compiled once for all processes of this checkout.
enableCompileCache();
// Written now as well as at an orderly end: a process that finds its code there does not load the compiler, 15 MiB.
setTimeout(flushCompileCache, 10_000).unref();

try {
  await startTelemetry(readTelemetryConfig());
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
