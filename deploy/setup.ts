import { ensureKeys } from "../cli/runner/keys.ts";
import { writeEnvoyConfig } from "../envoy/config.ts";
import { envoyOptions } from "./compose.ts";

// Runs once before the containers start: makes the keys that are missing, and Envoy's configuration.
ensureKeys("/keys");
await writeEnvoyConfig(envoyOptions());
