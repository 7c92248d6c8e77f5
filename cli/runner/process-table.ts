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

/**
 * What a process and its children take of the machine's memory, in bytes: a page that several hold counts in parts, so
 * that shares add up to what is really used. Where the system does not tell, the resident memory, which counts it for each.
 */
export async function memoryShare(pid: number): Promise<number> {
  if (process.platform !== "linux") return residentBytes(pid);
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
  const family = [pid, ...children.split(" ").filter(Boolean).map(Number)];
  const shares = await Promise.all(
    family.map(async (member) => {
      const rollup = await readFile(`/proc/${member}/smaps_rollup`, "utf8").catch(() => "");
      const kibibytes = /^Pss:\s+(\d+) kB/m.exec(rollup)?.[1];
      return kibibytes === undefined ? residentBytes(member) : Number(kibibytes) * 1024;
    }),
  );
  return shares.reduce((sum, share) => sum + share, 0);
}

/**
 * Processor time that a process and its ended children have used, in seconds; undefined for one that is gone, and where
 * there is no /proc.
 */
export async function cpuSeconds(pid: number): Promise<number | undefined> {
  const fields = process.platform === "linux" ? await statFields(pid) : undefined;
  // User and system time, of its own and of its children, in ticks of which every Linux has 100 a second.
  return fields && fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / 100;
}

/** The command line of a process, empty for one that is gone. */
export async function commandLineOf(pid: number): Promise<string> {
  if (process.platform === "linux") {
    return (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).replaceAll("\0", " ").trim();
  }
  return ps("command=", pid);
}

/** The fields of /proc/PID/stat from the third (state) on; the second may hold spaces and brackets. */
export async function statFields(pid: number): Promise<string[] | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
}

async function ps(column: string, pid: number): Promise<string> {
  const { stdout } = await run("ps", ["-o", column, "-p", String(pid)]).catch(() => ({ stdout: "" }));
  return stdout.trim();
}
