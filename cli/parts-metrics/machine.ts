import { readdir, readFile, statfs } from "node:fs/promises";
import type { Family } from "#observability/exposition.ts";
import { residentBytes } from "../runner/process-table.ts";
import { family } from "./families.ts";

export interface PartProcess {
  name: string;
  pid?: number | undefined;
}

/** Clock ticks a second in /proc; Linux has it fixed for programs. */
const ticks = 100;

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
  const table = await processTable();
  const rows = await Promise.all(
    running.map(async ({ name, pid }) => {
      const members = familyOf(table, pid);
      const memory = await Promise.all(members.map(residentBytes));
      const seconds = members.reduce((sum, member) => sum + (table.get(member)?.seconds ?? 0), 0);
      return { name, seconds, bytes: memory.reduce((sum, bytes) => sum + bytes, 0) };
    }),
  );
  const seconds = table.size === 0 ? [] : rows.map(({ name, seconds }) => [{ groupname: name }, seconds] as const);
  const memory = rows.map(({ name, bytes }) => [{ groupname: name, memtype: "resident" }, bytes] as const);
  return [
    family("counter", "namedprocess_namegroup_cpu_seconds", "CPU time", seconds),
    family("gauge", "namedprocess_namegroup_memory_bytes", "Memory; shared pages count for each that has them", memory),
  ];
}

type Table = Map<number, { parent: number; seconds: number }>;

/** Every process with its parent and its CPU time, which has that of its ended children in it. Empty where there is no /proc. */
async function processTable(): Promise<Table> {
  const names = await readdir("/proc").catch(() => []);
  const rows = await Promise.all(
    names
      .filter((name) => /^\d+$/.test(name))
      .map(async (name) => {
        const stat = await readFile(`/proc/${name}/stat`, "utf8").catch(() => "");
        const fields = stat
          .slice(stat.lastIndexOf(")") + 2)
          .split(" ")
          .map(Number);
        const seconds = [11, 12, 13, 14].reduce((sum, index) => sum + (fields[index] ?? 0), 0) / ticks;
        return [Number(name), { parent: fields[1] ?? 0, seconds }] as const;
      }),
  );
  return new Map(rows);
}

function familyOf(table: Table, pid: number): number[] {
  const family = [pid];
  for (const member of family) {
    for (const [child, { parent }] of table) if (parent === member) family.push(child);
  }
  return family;
}
