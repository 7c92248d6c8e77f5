import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export type PartName = "postgres" | "redis" | "kafka" | "java" | "envoy" | "jaeger" | "prometheus" | "pgbouncer";

/** The oldest version of a program of the machine that will do, and the one that is fetched otherwise. */
export type VersionPin = { minimum: string; fetched: string; python?: string };

/** The repository's deploy/parts folder: the pins of everything that is fetched. */
export const pinsFolder = fileURLToPath(new URL("../../../deploy/parts/", import.meta.url));

export const versions: Record<PartName, VersionPin> = JSON.parse(readFileSync(`${pinsFolder}versions.json`, "utf8"));

/** True when a dotted version is at least the minimum: `7.0.15` satisfies `6.2`. */
export function isAtLeast(version: string, minimum: string): boolean {
  const have = version.split(".").map(Number);
  for (const [index, wanted] of minimum.split(".").map(Number).entries()) {
    const part = have[index] ?? 0;
    if (part !== wanted) return part > wanted;
  }
  return true;
}
