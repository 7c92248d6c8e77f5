import { createHash } from "node:crypto";
import { chmodSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The root of the repository. */
export const repositoryRoot = fileURLToPath(new URL("../../", import.meta.url));

/** Where one mesh keeps what it makes: data, keys, logs, state. */
export interface Home {
  folder: string;
  data: string;
  keys: string;
  logs: string;
  mail: string;
  envoy: string;
  stateFile: string;
  lockFile: string;
  controlSocket: string;
}

/** The home of this checkout's mesh: `MESH_HOME`, else .mesh in the repository. */
export function findHome(folder = process.env.MESH_HOME || join(repositoryRoot, ".mesh")): Home {
  const path = resolve(folder);
  return {
    folder: path,
    data: join(path, "data"),
    keys: join(path, "keys"),
    logs: join(path, "logs"),
    mail: join(path, "mail"),
    envoy: join(path, "envoy"),
    stateFile: join(path, "state.json"),
    lockFile: join(path, "runner.lock"),
    controlSocket: socketPath(path),
  };
}

/** Makes the folders of a home; keys and mails are for its owner only. */
export function makeHome(home: Home): void {
  for (const folder of [home.folder, home.data, home.logs, home.envoy]) mkdirSync(folder, { recursive: true });
  for (const folder of [home.keys, home.mail]) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    chmodSync(folder, 0o700);
  }
}

/** Addresses of Unix sockets hold about 100 bytes; a deeper checkout gets a name in the temporary folder. */
function socketPath(folder: string): string {
  const path = join(folder, "control.sock");
  if (Buffer.byteLength(path) < 100) return path;
  return join(tmpdir(), `taskmesh-${createHash("sha256").update(folder).digest("hex").slice(0, 16)}.sock`);
}
