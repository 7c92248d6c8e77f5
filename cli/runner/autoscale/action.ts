import { fileURLToPath } from "node:url";
import { UserError } from "../../user-error.ts";
import type { RunningMesh } from "../running-mesh.ts";
import type { Autoscaler, AutoscaleStatus } from "./autoscaler.ts";
import type { Decision } from "./process-scaler.ts";

export type AutoscaleRequest =
  | {
      do: "on";
      /** A file or folder of HorizontalPodAutoscalers and ScaledObjects; that of this repository unless given. */
      path?: string;
      /** At least so many of each, where the files ask for more than the machine should run at rest. */
      scaleMin?: number;
      /** Only say what would be done. */
      dryRun?: boolean;
    }
  | { do: "off" }
  | { do: "status" };

export interface AutoscaleAnswer {
  status: AutoscaleStatus;
  /** What would be done; with `dryRun` alone. */
  preview?: Decision[];
}

const ownFiles = fileURLToPath(new URL("../../../deploy/kubernetes/base", import.meta.url));
const off: AutoscaleStatus = { on: false, processes: [], changes: [] };
const ofMesh = new WeakMap<RunningMesh, Autoscaler>();

/** Switches following the cluster's files on and off, and tells how it stands. */
export async function autoscale(
  mesh: RunningMesh,
  { request }: { request: AutoscaleRequest },
): Promise<AutoscaleAnswer> {
  if (request.do === "on") {
    const next = await autoscalerOf(mesh, request);
    if (request.dryRun) return { status: ofMesh.get(mesh)?.status ?? off, preview: await next.preview() };
    // In one step: of two that are switched on at once, one stops the other.
    const present = ofMesh.get(mesh);
    ofMesh.set(mesh, next);
    await present?.stop();
    next.start();
  } else if (request.do === "off") {
    const present = ofMesh.get(mesh);
    ofMesh.delete(mesh);
    await present?.stop();
  }
  return { status: ofMesh.get(mesh)?.status ?? off };
}

async function autoscalerOf(
  mesh: RunningMesh,
  { path = ownFiles, scaleMin }: Extract<AutoscaleRequest, { do: "on" }>,
): Promise<Autoscaler> {
  if (scaleMin !== undefined && !(Number.isInteger(scaleMin) && scaleMin >= 1)) {
    throw new UserError(`${scaleMin} is no least number of instances: take 1 or more`);
  }
  // Only now: a runner that does not scale by itself needs neither a Kafka client nor these files.
  const [{ Autoscaler }, { readPolicies }] = await Promise.all([import("./autoscaler.ts"), import("./manifests.ts")]);
  const policies = readPolicies(path);
  if (scaleMin === undefined) return new Autoscaler(mesh, path, policies);
  const lowered = policies.map((policy) => ({ ...policy, min: Math.min(policy.min, scaleMin) }));
  return new Autoscaler(mesh, path, lowered);
}
