import { spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { cachedFolder, exists } from "../../cli/runner/parts/cache.ts";
import { isThere, run, until } from "./command.ts";
import { dockerProgram } from "./machine.ts";

/** About as many as the compose file has. */
const containers = 12;
/** What Docker leaves behind of links: for containers, and for those of a stack. */
const bridges = ["docker0", "docker_gwbridge"];
const forwarding = "/proc/sys/net/ipv4/ip_forward";

export interface Daemon {
  /** For DOCKER_HOST. */
  address: string;
  /** For files that go away with the daemon. */
  folder: string;
  stop(): Promise<void>;
}

/**
 * A dockerd of our own: everything that runs is in a temporary folder, images stay in the cache for the next time. When
 * it stops, the machine's rules of iptables are again what they were, which Docker itself does not see to.
 */
export async function startDaemon(): Promise<Daemon> {
  const folder = await mkdtemp(join(tmpdir(), "taskmesh-containers-"));
  const images = cachedFolder("containers");
  await mkdir(images, { recursive: true });
  const restoreNetwork = await rememberNetwork();
  const address = `unix://${join(folder, "docker.sock")}`;
  // The storage driver is dockerd's choice: overlay2 where the file system can, vfs where it cannot. Control groups of
  // both versions work, without systemd too.
  const places = ["--data-root", images, "--exec-root", join(folder, "exec"), "--pidfile", join(folder, "docker.pid")];
  const child = spawn("dockerd", [...places, "-H", address, "--group", "root"], { stdio: ["ignore", "pipe", "pipe"] });
  const log = createWriteStream(join(folder, "dockerd.log"));
  child.stdout.pipe(log);
  child.stderr.pipe(log);
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
    await restoreNetwork();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await until("dockerd answers", async () => {
      if (child.exitCode !== null) throw new Error("dockerd has ended");
      return isThere(dockerProgram, ["-H", address, "version"]);
    });
  } catch (error) {
    const said = await readFile(join(folder, "dockerd.log"), "utf8").catch(() => "");
    process.stderr.write(said.split("\n").slice(-10).join("\n"));
    await stop();
    throw error;
  }
  await weigh();
  return { address, folder, stop };
}

/**
 * Containers together weigh as much as a single process of the machine, which on a busy one leaves them next to nothing:
 * they get the weight of as many processes as they are. Control groups of version 2 have another file, and need it less.
 */
async function weigh(): Promise<void> {
  const group = "/sys/fs/cgroup/cpu/docker";
  if (!(await exists(dirname(group)))) return;
  await mkdir(group, { recursive: true });
  await writeFile(join(group, "cpu.shares"), String(containers * 1024));
}

async function rememberNetwork(): Promise<() => Promise<void>> {
  const rules = await run("iptables-save", []);
  const forwards = await readFile(forwarding, "utf8");
  const before = await Promise.all(bridges.map((name) => isThere("ip", ["link", "show", name])));
  return async () => {
    const file = join(await mkdtemp(join(tmpdir(), "taskmesh-rules-")), "rules");
    await writeFile(file, `${withEmptyTables(rules)}\n`);
    await run("iptables-restore", [file]);
    await rm(join(file, ".."), { recursive: true });
    await writeFile(forwarding, forwards);
    for (const name of bridges.filter((_, index) => !before[index])) {
      await run("ip", ["link", "delete", name]).catch(() => {});
    }
  };
}

/** A table that had no rules is not in what was saved, and would keep those that Docker has put there. */
function withEmptyTables(rules: string): string {
  const empty: Record<string, readonly string[]> = {
    filter: ["INPUT", "FORWARD", "OUTPUT"],
    nat: ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"],
  };
  const added = Object.entries(empty)
    .filter(([table]) => !rules.includes(`*${table}\n`))
    .map(([table, chains]) => [`*${table}`, ...chains.map((chain) => `:${chain} ACCEPT [0:0]`), "COMMIT"].join("\n"));
  return [rules, ...added].join("\n");
}
