import { type ProcessName, processes } from "../../topology.ts";
import { UserError } from "../../user-error.ts";
import type { Traffic } from "../edge.ts";
import type { Instance } from "../instance.ts";
import type { RunningMesh } from "../running-mesh.ts";
import type { Releasable } from "./releasable.ts";
import { presentVersion, type Version } from "./version.ts";

/** One release under way, and what it works with. */
export interface Release {
  mesh: RunningMesh;
  services: readonly Releasable[];
  version: Version;
  /** Aborts when the operator ends the release, or the mesh stops. */
  signal: AbortSignal;
  /** A line for the operator, also kept for `mesh release status`. */
  say(line: string): void;
  versions: Map<ProcessName, Version>;
}

/**
 * Starts instances beside those that run, and resolves once Envoy has found them healthy. Those that get no traffic yet
 * are kept on standby. Throws one line when one of them does not come up; then none of them is left.
 */
export async function startBeside(
  { mesh }: Pick<Release, "mesh">,
  name: ProcessName,
  { count = 1, version, traffic }: { count?: number; version: Version; traffic?: Traffic },
): Promise<Instance[]> {
  const instances: Instance[] = [];
  try {
    while (instances.length < count) instances.push(await mesh.addInstance(name, version));
    // Whoever stops the mesh stops what it knows by then.
    mesh.signal.throwIfAborted();
    for (const instance of instances) if (traffic) mesh.edge.prepare(instance, traffic);
    await Promise.all(instances.map((instance) => instance.start()));
    const { envoyAdmin } = mesh.settings.publicPorts;
    if (!(await mesh.edge.settle(envoyAdmin, mesh.signal))) throw new UserError(`Envoy does not reach every ${name}`);
    mustNotHaveEnded(instances);
    return instances;
  } catch (error) {
    await retire({ mesh }, name, instances);
    throw error;
  }
}

/** Takes instances out of the traffic, lets them finish, and forgets them. */
export async function retire(
  { mesh }: Pick<Release, "mesh">,
  name: ProcessName,
  instances: readonly Instance[],
): Promise<void> {
  await Promise.all(
    instances.map(async (instance) => {
      await instance.stop();
      mesh.supervisor.remove(name, instance);
    }),
  );
}

/** Throws when a new instance has ended since its start: a version that crashes is a bad one. */
export function mustNotHaveEnded(instances: readonly Instance[]): void {
  const crashed = instances.find(({ restarts, status }) => restarts > 0 || status !== "ready");
  if (crashed !== undefined) throw new UserError(`${crashed.name} has ended (${crashed.lastFault ?? crashed.status})`);
}

/** Whether Envoy deals calls out to it: a consumer takes its share from Kafka instead. */
export function isRouted(name: ProcessName): boolean {
  return Object.keys(processes[name].clusters).length > 0;
}

/** What ran before, so that it can come back. */
export function formerVersion({ versions }: Pick<Release, "versions">, name: ProcessName): Version {
  return versions.get(name) ?? presentVersion;
}

export function namesOf(instances: readonly Instance[]): string {
  return instances.map(({ name }) => name).join(", ");
}
