import { execFileSync } from "node:child_process";
import { cpus, loadavg, release, totalmem, type } from "node:os";
import { repositoryRoot } from "../../cli/runner/home.ts";
import { partModules } from "../../cli/runner/part-specs.ts";
import { partTitles } from "../../cli/topology.ts";

/** Where and with what a run was made. */
export interface Machine {
  cores: number;
  model: string;
  memoryGiB: number;
  system: string;
  node: string;
  /** Version by name of the part. */
  parts: Record<string, string>;
  commit: string;
  /** Of the last minute, when the run began. */
  load: number;
}

export async function describeMachine(): Promise<Machine> {
  const located = Object.entries(partModules).map(async ([name, part]) => {
    const program = await part.locate();
    return [partTitles[name as keyof typeof partTitles], program?.version ?? "not here yet"] as const;
  });
  return {
    cores: cpus().length,
    model: cpus()[0]?.model.trim() ?? "unknown",
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    node: process.versions.node,
    parts: Object.fromEntries(await Promise.all(located)),
    commit: commit(),
    load: Math.round((loadavg()[0] ?? 0) * 10) / 10,
  };
}

function commit(): string {
  try {
    const git = (...args: string[]) => execFileSync("git", args, { cwd: repositoryRoot, encoding: "utf8" }).trim();
    return `${git("rev-parse", "--short=12", "HEAD")}${git("status", "--porcelain") === "" ? "" : " with changes"}`;
  } catch {
    return "unknown";
  }
}
