import { readFileSync } from "node:fs";
import { type Resource, resourceFromAttributes } from "@opentelemetry/resources";
import type { TelemetryConfig } from "./config.ts";

const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  version: string;
};

/** Who speaks: the name of the service, which of its instances, and the version of the project. */
export function resourceOf({ name, instanceId }: TelemetryConfig["resource"]): Resource {
  return resourceFromAttributes({
    "service.name": name,
    "service.instance.id": instanceId,
    "service.version": version,
  });
}
