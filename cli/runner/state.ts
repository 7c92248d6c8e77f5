import { readFileSync, renameSync, writeFileSync } from "node:fs";
import type { Profile } from "../topology.ts";
import type { Status } from "./instance.ts";

/** What the runner writes down: how to find its processes again, and the ports to take next time. */
export interface MeshState {
  runner: { pid: number; startTime: string | undefined };
  startedAt: string;
  profile: Profile;
  /** Ports by `<instance>.<port name>`. */
  ports: Record<string, number>;
  instances: InstanceState[];
}

export interface InstanceState {
  name: string;
  status: Status;
  pid?: number;
  /** Of the process; a pid alone may be reused. */
  startTime?: string;
  startedAt?: string;
  ports: Record<string, number>;
  restarts: number;
  lastFault?: string;
  /** Resident memory when this was written. */
  residentBytes: number;
  /** Its share of the machine's memory when this was written. */
  memoryShare: number;
}

/** The last state of a home; undefined when there is none, or when it cannot be read as one. */
export function readState(path: string): MeshState | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as MeshState;
  } catch {
    return undefined;
  }
}

/** Replaces the state in one step, so that a reader never sees half of it. */
export function writeState(path: string, state: MeshState): void {
  writeFileSync(`${path}.draft`, `${JSON.stringify(state, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.draft`, path);
}
