import { readFileSync } from "node:fs";
import { findHome } from "../../cli/runner/home.ts";
import { memoryShare, residentBytes } from "../../cli/runner/process-table.ts";
import { readState } from "../../cli/runner/state.ts";
import { isPart, unitOf } from "../../cli/runner/status.ts";
import type { TestMesh } from "../_util/mesh.ts";

/** Memory of one program, in bytes. */
export interface Memory {
  name: string;
  /** Pages in memory, those too that other processes hold. */
  resident: number;
  /** The same, with such pages counted in parts: shares add up to what is really used. */
  share: number;
}

export interface MeshMemory {
  /** Each Node process of ours, the runner that `mesh up` is among them. */
  processes: Memory[];
  parts: Memory[];
}

export async function memoryOf(mesh: TestMesh): Promise<MeshMemory> {
  const { instances } = await mesh.status();
  const running = instances.flatMap(({ name, pid }) => (pid === undefined ? [] : [{ name, pid }]));
  const read = (wished: boolean) =>
    Promise.all(
      running
        .filter(({ name }) => isPart(unitOf(name)) === wished)
        .map(async ({ name, pid }) => ({ name, ...(await memoryOfFamily(pid)) })),
    );
  const runner = readState(findHome(mesh.environment.MESH_HOME).stateFile)?.runner.pid;
  if (runner === undefined) throw new Error("the mesh does not say who runs it");
  return {
    processes: [...(await read(false)), { name: "runner", ...(await memoryOfOne(runner)) }],
    parts: await read(true),
  };
}

/** Of a process; its share is with its children's. */
export async function memoryOfFamily(pid: number): Promise<Omit<Memory, "name">> {
  const [resident, share] = await Promise.all([residentBytes(pid), memoryShare(pid)]);
  return { resident, share };
}

/** Of a process whose children are counted by themselves. */
async function memoryOfOne(pid: number): Promise<Omit<Memory, "name">> {
  const resident = await residentBytes(pid);
  try {
    const [, kibibytes] = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8")) ?? [];
    return { resident, share: Number(kibibytes) * 1024 };
  } catch {
    return { resident, share: resident };
  }
}

export function sumOf(memories: readonly Memory[], kind: "resident" | "share"): number {
  return memories.reduce((sum, memory) => sum + memory[kind], 0);
}

/** What some processes have in memory together ÷ as many of another one. */
export function footprint(processes: readonly Memory[], one: Pick<Memory, "resident">): number {
  return sumOf(processes, "resident") / (processes.length * one.resident);
}

export function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
