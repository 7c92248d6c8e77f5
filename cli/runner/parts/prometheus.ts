import { chmod, copyFile, mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../../user-error.ts";
import type { ProcessSpec, RunningPart } from "../process-spec.ts";
import { httpAnswers } from "../wire-probe.ts";
import { cachedFolder, fillCache, privateFolder } from "./cache.ts";
import { findOnMachine, isExecutable, type Program, type Progress, runTool, versionOf } from "./program.ts";
import { startPart } from "./start-part.ts";
import { isAtLeast, versions } from "./versions.ts";

const pin = versions.prometheus;
const cacheName = `prometheus-${pin.fetched}`;

export type PrometheusOptions = {
  dataDir: string;
  /** The folder with prometheus.yml, the rules and the targets. */
  configFolder: string;
  port: number;
  logFile: string;
};

/** What to do when there is no Prometheus, and no Debian to take it from. */
export const howToGetIt = `there is no Prometheus: install Prometheus ${pin.minimum} or newer (on Debian and Ubuntu it is fetched)`;

export async function locate(): Promise<Program | undefined> {
  const path = await findOnMachine("prometheus", ["/opt/homebrew/bin", "/usr/local/bin"]);
  const version = path && (await versionOf(path));
  if (path && version && isAtLeast(version, pin.minimum)) return { path, version, source: "machine" };
  const fetched = join(cachedFolder(cacheName), "prometheus");
  return (await isExecutable(fetched)) ? { path: fetched, version: pin.fetched, source: "cache" } : undefined;
}

/** Takes the program out of Debian's package: nothing is installed, and no other account is needed. */
export async function fetch(progress: Progress, signal?: AbortSignal): Promise<Program> {
  const tools = await Promise.all([findOnMachine("apt-get"), findOnMachine("dpkg-deb")]);
  if (tools.includes(undefined)) throw new UserError(howToGetIt);
  const [aptGet = "", dpkgDeb = ""] = tools;
  progress("Prometheus: fetching Debian's package (19 MB)");
  const folder = await fillCache(cacheName, async (draft) => {
    const unpacked = join(draft, "package");
    await mkdir(unpacked);
    await runTool(aptGet, ["download", "prometheus"], { cwd: unpacked, signal });
    const [archive] = (await readdir(unpacked)).filter((name) => name.endsWith(".deb"));
    if (archive === undefined) throw new UserError(howToGetIt);
    await runTool(dpkgDeb, ["-x", join(unpacked, archive), unpacked]);
    for (const program of ["prometheus", "promtool"]) {
      await copyFile(join(unpacked, "usr/bin", program), join(draft, program));
      await chmod(join(draft, program), 0o755);
    }
    await rm(unpacked, { recursive: true });
  });
  return { path: join(folder, "prometheus"), version: pin.fetched, source: "cache" };
}

/** Prometheus with exemplars on the loopback address. It keeps two days, 256 MB on disk at most. */
export async function describe(program: Program, options: PrometheusOptions): Promise<ProcessSpec> {
  await privateFolder(options.dataDir);
  return {
    name: "prometheus",
    command: program.path,
    args: [
      `--config.file=${join(options.configFolder, "prometheus.yml")}`,
      `--storage.tsdb.path=${options.dataDir}`,
      "--storage.tsdb.retention.time=2d",
      "--storage.tsdb.retention.size=256MB",
      `--web.listen-address=127.0.0.1:${options.port}`,
      "--enable-feature=exemplar-storage",
      "--log.level=warn",
    ],
    // The limit of memory is a soft one: nearing it, Go collects more often.
    env: { GOMAXPROCS: "1", GOMEMLIMIT: "192MiB" },
    background: true,
    logFile: options.logFile,
    stopSignal: "SIGTERM",
    stopGrace: 10_000,
    startTimeout: 30_000,
    probe: () => httpAnswers(`http://127.0.0.1:${options.port}/-/ready`),
  };
}

export async function start(options: PrometheusOptions, progress: Progress = () => {}): Promise<RunningPart> {
  const program = (await locate()) ?? (await fetch(progress));
  return startPart(await describe(program, options), `http://127.0.0.1:${options.port}`);
}
