import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { promisify } from "node:util";
import { statFields } from "./process-table.ts";

const run = promisify(execFile);

/** The process and all that it has started, the eldest first. PostgreSQL's sessions are processes of their own. */
export async function processTree(root: number): Promise<number[]> {
  return (await processTrees([root]))[0] as number[];
}

/** The trees of several processes, by one look at all that run. */
export async function processTrees(roots: readonly number[]): Promise<number[][]> {
  const children = Map.groupBy(
    process.platform === "linux" ? await listProc() : await listPs(),
    ({ parent }) => parent,
  );
  return roots.map((root) => {
    const found = [root];
    for (const pid of found) found.push(...(children.get(pid) ?? []).map((child) => child.pid));
    return found;
  });
}

/** Sends a signal to each; one that has ended meanwhile is no fault. */
export function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // It has ended.
    }
  }
}

interface Parentage {
  pid: number;
  parent: number;
}

async function listProc(): Promise<Parentage[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  return Promise.all(
    pids.map(async (pid) => {
      const fields = await statFields(Number(pid));
      return { pid: Number(pid), parent: Number(fields?.[1] ?? 0) };
    }),
  );
}

async function listPs(): Promise<Parentage[]> {
  const { stdout } = await run("ps", ["-A", "-o", "pid=,ppid="]);
  return stdout.split("\n").map((line) => {
    const [pid = 0, parent = 0] = line.trim().split(/\s+/).map(Number);
    return { pid, parent };
  });
}
