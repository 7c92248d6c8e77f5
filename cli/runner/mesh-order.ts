import { type ProcessName, processes, type UnitName } from "../topology.ts";
import type { Order } from "./supervisor.ts";

/** The order of the topology; every member ends before Jaeger does, so that its last spans arrive. */
export const meshOrder: Order = {
  after: (unit) => rowOf(unit)?.after ?? [],
  outlivedBy: (unit) => {
    const row = rowOf(unit);
    if (row === undefined) return unit === "envoy" ? ["jaeger"] : [];
    return [...row.after, ...row.calls, ...(row.member ? (["jaeger"] as const) : [])];
  },
};

function rowOf(unit: UnitName) {
  return unit in processes ? processes[unit as ProcessName] : undefined;
}
