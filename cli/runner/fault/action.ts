import type { RunningMesh } from "../running-mesh.ts";
import type { FaultRequest } from "./fault.ts";
import { Faults } from "./faults.ts";

const ofMesh = new WeakMap<RunningMesh, Faults>();

/** Brings faults into this mesh, lists them, and ends them. */
export async function fault(mesh: RunningMesh, { request }: { request: FaultRequest }): Promise<unknown> {
  const faults = ofMesh.get(mesh) ?? new Faults(mesh);
  ofMesh.set(mesh, faults);
  switch (request.do) {
    case "begin":
      return faults.begin(request.fault, request.forMs);
    case "list":
      return faults.list;
    case "heal":
      if (request.id === undefined) return { healed: await faults.healAll() };
      await faults.heal(request.id);
      return { healed: 1 };
  }
}
