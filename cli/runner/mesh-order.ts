import { type PartName, type ProcessName, processes, type UnitName } from "../topology.ts";
import type { Order } from "./supervisor.ts";

/** The order of the topology; every member ends before Jaeger does, so that its last spans arrive. */
export const meshOrder: Order = {
  after: (unit) => rowOf(unit)?.after ?? afterOf[unit as PartName] ?? [],
  outlivedBy: (unit) => {
    const row = rowOf(unit);
    if (row === undefined) return outlivedByOf[unit as PartName] ?? [];
    const replicas = row.database ? (["postgres-replica"] as const) : [];
    return [...row.after, ...replicas, ...row.calls, ...(row.member ? (["jaeger"] as const) : [])];
  },
};

const afterOf: Partial<Record<PartName, readonly UnitName[]>> = {
  "postgres-replica": ["postgres"],
  // Its questions would find nobody before.
  prometheus: ["postgres", "redis", "kafka", "envoy"],
};

const outlivedByOf: Partial<Record<PartName, readonly UnitName[]>> = {
  envoy: ["jaeger"],
  "postgres-replica": ["postgres"],
};

function rowOf(unit: UnitName) {
  return unit in processes ? processes[unit as ProcessName] : undefined;
}
