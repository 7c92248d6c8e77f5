import {
  type ProcessName,
  type Profile,
  partTitles,
  processes,
  processNames,
  publicPorts,
  type UnitName,
} from "../topology.ts";
import type { Instance } from "./instance.ts";
import { memoryShare, residentBytes } from "./process-table.ts";
import { ownPublicPorts, type PublicPortName, type Settings } from "./settings.ts";
import type { InstanceState } from "./state.ts";

export interface MeshStatus {
  profile: Profile;
  home: string;
  startedAt: string;
  /** True once everything that was asked for has answered. */
  ready: boolean;
  addresses: { name: string; title: string; url: string }[];
  /** Why there are no traces (yet), if there are none. */
  tracing: string;
  instances: InstanceState[];
  memory: { processes: number; parts: number };
}

const schemes: Record<PublicPortName, string> = {
  edge: "http",
  edgeTls: "https",
  jaeger: "http",
  mail: "http",
  envoyAdmin: "http",
  ops: "http",
  prometheus: "http",
};

/** Where a person finds the mesh. */
export function addressesOf(settings: Settings): MeshStatus["addresses"] {
  return ownPublicPorts(settings).map((name) => ({
    name,
    title: publicPorts[name].title,
    url: `${schemes[name]}://127.0.0.1:${settings.publicPorts[name]}`,
  }));
}

export function stateOf(instance: Instance): InstanceState {
  return {
    name: instance.name,
    status: instance.status,
    pid: instance.pid,
    startTime: instance.startTime,
    startedAt: instance.startedAt?.toISOString(),
    ports: { ...instance.ports },
    restarts: instance.restarts,
    lastFault: instance.lastFault,
    residentBytes: instance.residentBytes,
    memoryShare: instance.memoryShare,
  };
}

/** Looks up the memory of every instance now. */
export async function measure(instances: readonly Instance[]): Promise<void> {
  await Promise.all(
    instances.map(async (instance) => {
      const { pid } = instance;
      [instance.residentBytes, instance.memoryShare] =
        pid === undefined ? [0, 0] : await Promise.all([residentBytes(pid), memoryShare(pid)]);
    }),
  );
}

/** The unit that an instance belongs to: `task-2` is one of `task`. */
export function unitOf(instance: string): UnitName {
  return instance.replace(/-\d+$/, "") as UnitName;
}

export function isPart(unit: UnitName): boolean {
  return unit in partTitles;
}

export function titleOf(unit: UnitName): string {
  return isPart(unit) ? partTitles[unit as keyof typeof partTitles] : processes[unit as ProcessName].title;
}

/** What our own processes and the parts take of the machine's memory together, in bytes. */
export function memoryOf(instances: readonly Pick<InstanceState, "name" | "memoryShare">[]): MeshStatus["memory"] {
  const sum = { processes: 0, parts: 0 };
  for (const { name, memoryShare } of instances) {
    sum[processNames.includes(unitOf(name) as ProcessName) ? "processes" : "parts"] += memoryShare;
  }
  return sum;
}
