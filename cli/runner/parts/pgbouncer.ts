import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../../user-error.ts";
import type { RunningPart } from "../process-spec.ts";
import { postgresAnswers } from "../wire-probe.ts";
import { accountForPostgres } from "./account.ts";
import { cachedFolder, fillCache } from "./cache.ts";
import { findOnMachine, isExecutable, type Program, type Progress, runTool, versionOf } from "./program.ts";
import { startPart } from "./start-part.ts";
import { isAtLeast, versions } from "./versions.ts";

const pin = versions.pgbouncer;
const release = "trixie";
const cacheName = `pgbouncer-${pin.fetched}`;
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
/** The program and what it is linked with, for a Debian that is older than the release. */
const packages = [
  ...["pgbouncer", "libc6", "libcares2", "libevent-2.1-7t64", "libssl3t64", "libsystemd0", "libpam0g", "libaudit1"],
  ...["libcap2", "libcap-ng0", "libzstd1", "zlib1g"],
];

/** What to do when there is no PgBouncer that will do, and no Debian to take it from. */
export const howToGetIt = `there is no PgBouncer: install PgBouncer ${pin.minimum} or newer (on Debian, x64, it is fetched)`;

export async function locate(): Promise<Program | undefined> {
  const path = await findOnMachine("pgbouncer", ["/usr/sbin", "/opt/homebrew/bin", "/usr/local/bin"]);
  const version = path && (await versionOf(path));
  if (path && version && isAtLeast(version, pin.minimum)) return { path, version, source: "machine" };
  const fetched = join(cachedFolder(cacheName), "pgbouncer");
  return (await isExecutable(fetched)) ? { path: fetched, version: pin.fetched, source: "cache" } : undefined;
}

/** Takes the program and its libraries out of Debian's packages: nothing is installed, no list of the machine is touched. */
export async function fetch(progress: Progress, signal?: AbortSignal): Promise<Program> {
  const tools = await Promise.all([findOnMachine("apt-get"), findOnMachine("dpkg-deb")]);
  if (tools.includes(undefined) || process.arch !== "x64") throw new UserError(howToGetIt);
  const [aptGet = "", dpkgDeb = ""] = tools;
  progress("PgBouncer: fetching Debian's package (20 MB)");
  const folder = await fillCache(cacheName, async (draft) => {
    const work = join(draft, "apt");
    for (const name of ["lists/partial", "cache/archives/partial", "packages"]) {
      await mkdir(join(work, name), { recursive: true });
    }
    const sources = join(work, "sources.list");
    await writeFile(sources, `deb [signed-by=${keyring}] http://deb.debian.org/debian ${release} main\n`);
    const apart = [
      ...["-o", `Dir::Etc::sourcelist=${sources}`, "-o", "Dir::Etc::sourceparts=/dev/null"],
      ...["-o", `Dir::State::lists=${join(work, "lists")}`, "-o", `Dir::Cache=${join(work, "cache")}`],
      ...["-o", "APT::Sandbox::User=root"],
    ];
    await runTool(aptGet, [...apart, "update"], { signal });
    const archives = join(work, "packages");
    await runTool(aptGet, [...apart, "download", ...packages.map((name) => `${name}/${release}`)], {
      cwd: archives,
      signal,
    });
    for (const archive of await readdir(archives)) {
      await runTool(dpkgDeb, ["-x", join(archives, archive), join(draft, "root")]);
    }
    await rm(work, { recursive: true });
    await writeFile(join(draft, "pgbouncer"), launcher, { mode: 0o755 });
  });
  return { path: join(folder, "pgbouncer"), version: pin.fetched, source: "cache" };
}

/** Runs the program with the libraries that came with it. */
const launcher = `#!/bin/sh
root="$(dirname "$0")/root"
libraries="$root/usr/lib/x86_64-linux-gnu"
exec "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries" "$root/usr/sbin/pgbouncer" "$@"
`;

export type PgbouncerOptions = {
  /** Its configuration; the account that it runs as must be able to read that and what is named there. */
  configFile: string;
  port: number;
  logFile: string;
};

export async function start(options: PgbouncerOptions, progress: Progress = () => {}): Promise<RunningPart> {
  const program = (await locate()) ?? (await fetch(progress));
  const account = accountForPostgres();
  const spec = {
    name: "pgbouncer",
    command: program.path,
    // It refuses to run as root, and gives root up when told for whom.
    args: [...(account ? ["-u", account.name] : []), options.configFile],
    env: {},
    logFile: options.logFile,
    stopSignal: "SIGINT" as const,
    stopGrace: 5_000,
    startTimeout: 15_000,
    probe: () => postgresAnswers("127.0.0.1", options.port),
  };
  return startPart(spec, `127.0.0.1:${options.port}`);
}
