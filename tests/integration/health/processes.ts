import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Identity } from "#kit/auth/identity.ts";
import { keyPair } from "#kit/auth/testing.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** A program of ours in a process of its own, started by a test. */
export interface Program {
  child: ChildProcess;
  pid: number;
  /** What it wrote so far, both streams. */
  output(): string;
  /** How it ended: its exit code, or the signal that ended it. */
  ended: Promise<number | string>;
  /** Ends it whatever state it is in. */
  kill(): Promise<void>;
}

/** Runs a file, relative to the root of the repository, under this Node. */
export function run(file: string, env: Record<string, string>, args: readonly string[] = []): Program {
  const child = spawn(process.execPath, [file, ...args], {
    cwd: root,
    env: { PATH: process.env.PATH ?? "", LOG_LEVEL: "fatal", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const take = (chunk: Buffer) => {
    output += chunk;
  };
  child.stdout.on("data", take);
  child.stderr.on("data", take);
  const ended = once(child, "close").then(([code, signal]) => (code ?? signal) as number | string);
  return {
    child,
    pid: child.pid as number,
    output: () => output,
    ended,
    kill: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
      await ended;
    },
  };
}

/** Keys of a few members of the mesh, in files of their own. */
export async function writeIdentities(names: readonly string[]) {
  const folder = await mkdtemp(join(tmpdir(), "taskmesh-identities-"));
  const jwksFile = join(folder, "jwks.json");
  const keyFile = (name: string) => join(folder, `${name}.json`);
  const pairs = names.map((name) => keyPair(name));
  await writeFile(jwksFile, JSON.stringify({ keys: pairs.map(({ publicJwk }) => publicJwk) }));
  for (const { privateJwk } of pairs) await writeFile(keyFile(privateJwk.kid), JSON.stringify(privateJwk));
  return {
    folder,
    load: (name: string) => Identity.load({ keyFile: keyFile(name), jwksFile }),
    env: (name: string) => ({ MESH_IDENTITY_KEY_FILE: keyFile(name), MESH_IDENTITY_JWKS_FILE: jwksFile }),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
