import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { type ProcessName, processes } from "../../topology.ts";
import { UserError } from "../../user-error.ts";
import { repositoryRoot } from "../home.ts";

/** What an instance runs: the files of a folder, under a Node, with changes of the environment. */
export interface Version {
  folder: string;
  node: string;
  env: Readonly<Record<string, string>>;
}

/** The files that the runner itself is of. */
export const presentVersion: Version = { folder: repositoryRoot, node: process.execPath, env: {} };

export interface VersionRequest {
  /** Another checkout, with its packages and generated code. */
  from?: string | undefined;
  env?: Readonly<Record<string, string>> | undefined;
}

/** The version that is asked for; throws one line when the folder cannot run it or a variable is the runner's own. */
export function versionOf({ from, env = {} }: VersionRequest, names: readonly ProcessName[]): Version {
  for (const variable of Object.keys(env)) {
    if (!/^[A-Za-z_]\w*$/.test(variable)) throw new UserError(`"${variable}" is no name of a variable`);
    if (ownVariables.has(variable)) throw new UserError(`${variable} is decided by the runner: leave it out`);
  }
  if (from === undefined) return { ...presentVersion, env };
  const folder = resolve(from);
  const needed = [...names.map((name) => processes[name].entry), "node_modules", "proto/gen"];
  const missing = needed.find((path) => !existsSync(join(folder, path)));
  if (missing !== undefined) {
    const remedy = "give a checkout where `npm install` and `npm run generate` were run";
    throw new UserError(`${folder} cannot be released, ${missing} is not in it: ${remedy}`);
  }
  const node = join(folder, "node_modules/node/bin/node");
  return { folder, node: existsSync(node) ? node : process.execPath, env };
}

/** What the instance is and where it listens. */
const ownVariables = new Set([
  "SERVICE_NAME",
  "SERVICE_INSTANCE_ID",
  "HOST",
  ...Object.values(processes).flatMap(({ ports }) => Object.values(ports)),
]);
