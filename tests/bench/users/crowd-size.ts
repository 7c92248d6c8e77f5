import { readFileSync } from "node:fs";

export interface Room {
  /** File descriptors that a process may have. */
  files: number;
  /** Bytes of memory that are free. */
  memory: number;
}

const wished = 10_000;
/** Of each process beside its connections: listeners, upstream connections, logs, modules. */
const otherFiles = 1000;
/** Of each connection, at both ends and in the kernel, generously. */
const bytesEach = 150_000;
const spareMemory = 1024 ** 3;

/** How many users can be connected at a time: ten thousand, or as many as there is room for. */
export function crowdSize({ files, memory }: Room): number {
  const most = Math.min(wished, files - otherFiles, Math.floor((memory - spareMemory) / bytesEach));
  return Math.max(0, most);
}

export function roomHere(): Room {
  return { files: openFiles(), memory: process.availableMemory() };
}

/** The limit of this process and of whatever it starts; the soft one, which Node has raised to the hard one. */
function openFiles(): number {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    // What macOS grants unless it is told otherwise; Node raises it, but not for Envoy.
    return 10_240;
  }
}
