import { statfs } from "node:fs/promises";
import type { Family } from "#observability/exposition.ts";
import { cpuSeconds, residentBytes } from "../runner/process-table.ts";
import { processTrees } from "../runner/process-tree.ts";
import { family } from "./families.ts";

export interface PartProcess {
  name: string;
  pid?: number | undefined;
}

/** The disk that the data is on, as node_exporter names it. */
export async function diskFamilies(folder: string): Promise<Family[]> {
  const disk = await statfs(folder).catch(() => undefined);
  if (disk === undefined) return [];
  const bytes = (name: string, help: string, blocks: number): Family =>
    family("gauge", name, help, [[{ mountpoint: "data" }, blocks * disk.bsize]]);
  return [
    bytes("node_filesystem_size_bytes", "Size of the disk of the data folder", disk.blocks),
    bytes("node_filesystem_avail_bytes", "Free space of that disk", disk.bavail),
  ];
}

/** CPU time and memory of programs and all that they started, as process-exporter names them. CPU time needs Linux. */
export async function processFamilies(processes: readonly PartProcess[]): Promise<Family[]> {
  const running = processes.filter((one): one is { name: string; pid: number } => one.pid !== undefined);
  const trees = await processTrees(running.map(({ pid }) => pid));
  const rows = await Promise.all(
    running.map(async ({ name }, index) => {
      const members = trees[index] as number[];
      const [seconds, bytes] = await Promise.all([
        Promise.all(members.map(cpuSeconds)),
        Promise.all(members.map(residentBytes)),
      ]);
      return { name, seconds: seconds.filter((one) => one !== undefined), bytes };
    }),
  );
  const times = rows.filter(({ seconds }) => seconds.length > 0);
  return [
    family(
      "counter",
      "namedprocess_namegroup_cpu_seconds",
      "CPU time",
      times.map(({ name, seconds }) => [{ groupname: name }, sumOf(seconds)]),
    ),
    family(
      "gauge",
      "namedprocess_namegroup_memory_bytes",
      "Memory; shared pages count for each that has them",
      rows.map(({ name, bytes }) => [{ groupname: name, memtype: "resident" }, sumOf(bytes)]),
    ),
  ];
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
