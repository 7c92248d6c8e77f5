import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/**
 * When a process started, as an opaque text; `undefined` when there is none (a zombie counts as none).
 * The pair of pid and start time names one process for good: a pid alone is reused.
 */
export async function startTimeOf(pid: number): Promise<string | undefined> {
  if (process.platform === "linux") {
    const fields = await statFields(pid);
    return fields === undefined || fields[0] === "Z" ? undefined : fields[19];
  }
  const line = await ps("lstart=", pid);
  return line === "" ? undefined : line;
}

/** Resident memory in bytes, 0 for a process that is gone. */
export async function residentBytes(pid: number): Promise<number> {
  if (process.platform === "linux") {
    const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
  }
  return Number(await ps("rss=", pid)) * 1024;
}

/** The command line of a process, empty for one that is gone. */
export async function commandLineOf(pid: number): Promise<string> {
  if (process.platform === "linux") {
    return (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).replaceAll("\0", " ").trim();
  }
  return ps("command=", pid);
}

/** The fields of /proc/PID/stat from the third (state) on; the second may hold spaces and brackets. */
async function statFields(pid: number): Promise<string[] | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
}

async function ps(column: string, pid: number): Promise<string> {
  const { stdout } = await run("ps", ["-o", column, "-p", String(pid)]).catch(() => ({ stdout: "" }));
  return stdout.trim();
}
