import { mkdir, mkdtemp, rename, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { tryLock } from "../lock-file.ts";

/** Where fetched parts are kept, for all checkouts of this user: `TASKMESH_CACHE`, else ~/.cache/taskmesh. */
export function cacheFolder(): string {
  return resolve(
    process.env.TASKMESH_CACHE || join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "taskmesh"),
  );
}

/** The folder of one fetched part, e.g. `redis-6.2.912183`; it exists whole or not at all. */
export function cachedFolder(name: string): string {
  return join(cacheFolder(), name);
}

/**
 * Makes a cache folder once: `fill` writes into a temporary folder, which then takes its name in one step.
 * A second start waits for the first one instead of fetching the same thing beside it.
 */
export async function fillCache(name: string, fill: (folder: string) => Promise<void>): Promise<string> {
  const target = cachedFolder(name);
  await mkdir(cacheFolder(), { recursive: true });
  const unlock = await lock(`${target}.lock`);
  try {
    if (await exists(target)) return target;
    const draft = await mkdtemp(`${target}.part-`);
    try {
      await fill(draft);
      await rename(draft, target);
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
    return target;
  } finally {
    await unlock();
  }
}

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Makes a folder that only its owner may enter; its parents get the usual mode. */
export async function privateFolder(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await mkdir(path, { recursive: true, mode: 0o700 });
}

async function lock(path: string): Promise<() => Promise<void>> {
  for (;;) {
    const unlock = await tryLock(path);
    if (unlock !== undefined) return unlock;
    await sleep(200);
  }
}
