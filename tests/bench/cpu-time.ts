import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

/** Programs to watch, by name. */
export type Pids = ReadonlyMap<string, number>;

/** This process, which makes the load. */
export const generator: [string, number] = ["load generator", process.pid];

/** CPU time by program with all that it started, added up over several stretches of time. */
export class CpuMeter {
  readonly #pids: () => Pids;
  readonly #seconds = new Map<string, number>();
  #elapsed = 0;

  constructor(pids: () => Pids) {
    this.#pids = pids;
  }

  async during<T>(work: () => Promise<T>): Promise<T> {
    const pids = this.#pids();
    const begin = performance.now();
    const before = cpuSeconds(pids);
    const result = await work();
    const after = cpuSeconds(pids);
    this.#elapsed += (performance.now() - begin) / 1000;
    for (const [name, seconds] of after) {
      this.#seconds.set(name, (this.#seconds.get(name) ?? 0) + seconds - (before.get(name) ?? 0));
    }
    return result;
  }

  /** Microseconds for each of so many things, the most expensive program first; empty where there is no /proc. */
  each(count: number): Record<string, number> {
    const rows = [...this.#seconds].map(([name, seconds]) => [name, Math.round((seconds * 1e6) / count)] as const);
    return Object.fromEntries(rows.filter(([, micros]) => micros > 0).sort(([, one], [, other]) => other - one));
  }

  /** Seconds of all programs that are meant; 0 where there is no /proc. */
  total(isMeant: (name: string) => boolean = () => true): number {
    return [...this.#seconds].reduce((sum, [name, seconds]) => sum + (isMeant(name) ? seconds : 0), 0);
  }

  /** How much of one core it took while it was watched. */
  get share(): number {
    return this.total() / this.#elapsed;
  }
}

/** A note on the CPU of each thing: "412 µs (task-1 120, gateway-1 110, …)"; none where there is no /proc. */
export function noteEach(title: string, each: Record<string, number>): string[] {
  const sum = Object.values(each).reduce((total, micros) => total + micros, 0);
  const parts = Object.entries(each).map(([name, micros]) => `${name} ${micros}`);
  return sum === 0 ? [] : [`${title}: ${sum} µs (${parts.join(", ")})`];
}

interface Row {
  parent: number;
  ticks: number;
}

function cpuSeconds(pids: Pids): Map<string, number> {
  if (process.platform !== "linux") return new Map();
  const table = processTable();
  const children = Map.groupBy(table.keys(), (pid) => table.get(pid)?.parent);
  const used = (pid: number): number => {
    // What the bench has started is counted by its own names.
    const below = pid === process.pid ? [] : (children.get(pid) ?? []);
    return (table.get(pid)?.ticks ?? 0) + below.reduce((sum, child) => sum + used(child), 0);
  };
  return new Map([...pids].map(([name, pid]) => [name, used(pid) / ticksPerSecond()]));
}

function processTable(): Map<number, Row> {
  const table = new Map<number, Row>();
  for (const entry of readdirSync("/proc")) {
    const row = /^\d+$/.test(entry) ? readRow(entry) : undefined;
    if (row !== undefined) table.set(Number(entry), row);
  }
  return table;
}

/** Fields 4 and 14 to 17 of proc(5): the parent, and the time of the process and of its ended children. */
function readRow(pid: string): Row | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { parent: Number(fields[1]), ticks: fields.slice(11, 15).reduce((sum, text) => sum + Number(text), 0) };
  } catch {
    return undefined;
  }
}

let ticks = 0;

function ticksPerSecond(): number {
  ticks ||= Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));
  return ticks;
}
