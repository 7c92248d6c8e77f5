import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { envoyLogKeys, logKeys } from "#observability/log-keys.ts";
import { attributes } from "#observability/names.ts";
import { findHome } from "../../cli/runner/home.ts";
import type { TestMesh } from "../_util/mesh.ts";

/** One line of a process of ours, or of Envoy's access log. */
export type Line = Record<string, unknown>;

const known = new Set<string>([...Object.keys(logKeys), ...envoyLogKeys, ...Object.values(attributes)]);

/** The lines of one log. Of a process of ours, each has to be JSON. */
export function linesOf({ environment }: TestMesh, file: string): Line[] {
  const { logs } = findHome(environment.MESH_HOME);
  const lines = readFileSync(join(logs, file), "utf8").split("\n").filter(Boolean);
  const isOurs = file !== "envoy.log";
  return lines.filter((line) => isOurs || line.startsWith("{")).map((line) => JSON.parse(line) as Line);
}

/** The names of the logs of our own processes, those of their errors left out. */
export function processLogs({ environment }: TestMesh): string[] {
  const isOurs = /^(gateway|auth|user|task|notification|consumers)-\d+\.log$/;
  return readdirSync(findHome(environment.MESH_HOME).logs).filter((file) => isOurs.test(file));
}

/** What is wrong with a line: a key that nobody registered, or one that each line has to have. */
export function lineFaults(line: Line): string[] {
  const always = ["level", "time", "service.name", "service.instance.id"];
  return [
    ...Object.keys(line)
      .filter((key) => !known.has(key))
      .map((key) => `unregistered: ${key} in "${line.message}"`),
    ...always.filter((key) => !line[key]).map((key) => `lacks ${key}: "${line.message}"`),
  ];
}
