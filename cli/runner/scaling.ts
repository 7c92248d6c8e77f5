import { type ProcessName, processes, processNames } from "../topology.ts";
import { UserError } from "../user-error.ts";
import { capacityFor, checkCapacity } from "./capacity.ts";
import type { Instance } from "./instance.ts";
import type { RunningMesh } from "./running-mesh.ts";
import type { Supervisor } from "./supervisor.ts";

const mostReplicas = 32;

/** How many instances of a process there are to be. */
export interface ScaleTarget {
  service: string;
  count: number;
}

/** What `all` stands for: the services behind the gateway. */
const allServices = processNames.filter((name) => "grpc" in processes[name].clusters && name !== "gateway");

/** The processes that are meant, with their numbers; throws one line when one cannot be scaled to that. */
export function checkTargets(targets: readonly ScaleTarget[]): Map<ProcessName, number> {
  const known = processNames.filter((name) => name !== "mail");
  const counts = new Map<ProcessName, number>();
  for (const { service, count } of targets) {
    const names = service === "all" ? allServices : known.filter((name) => name === service);
    if (names.length === 0) {
      throw new UserError(`There is no service "${service}": take one of ${known.join(", ")}, or all`);
    }
    if (!Number.isInteger(count) || count < 1 || count > mostReplicas) {
      throw new UserError(`${service} cannot have ${count} instances: take a number from 1 to ${mostReplicas}`);
    }
    // What is named stands over what "all" says.
    for (const name of names)
      if (service !== "all" || !targets.some((other) => other.service === name)) counts.set(name, count);
  }
  return counts;
}

/** Sets the numbers of instances of processes, one after the other; resolves once Envoy follows. None of it happens when not all of it fits. */
export async function scale(
  mesh: RunningMesh,
  { targets }: { targets: readonly ScaleTarget[] },
  progress: (line: string) => void,
): Promise<void> {
  const counts = checkTargets(targets);
  await mesh.inTurn(async () => {
    const added = [...counts].map(([name, count]) => Math.max(0, count - mesh.supervisor.instancesOf(name).length));
    const sum = added.reduce((total, more) => total + more, 0);
    if (sum > 0) checkCapacity(sum, capacityFor(mesh.supervisor.instances));
    for (const [name, count] of counts) await changeTo(mesh, { name, count }, progress);
  });
  await mesh.settle();
}

/** Brings one process to a number of instances, within the turn of its caller. */
export function changeTo(
  mesh: RunningMesh,
  { name, count }: { name: ProcessName; count: number },
  progress: (line: string) => void,
): Promise<void> {
  return scaleTo({ supervisor: mesh.supervisor, name, count, add: () => mesh.addInstance(name), progress });
}

interface Scaling {
  supervisor: Supervisor;
  name: ProcessName;
  count: number;
  add: () => Promise<Instance>;
  progress: (line: string) => void;
}

/** Brings a process to the given number of instances. Those to go lose their traffic first; one that fails to start is taken back. */
async function scaleTo({ supervisor, name, count, add, progress }: Scaling): Promise<void> {
  const present = supervisor.instancesOf(name);
  const added: Instance[] = [];
  const remove = async (instance: Instance) => {
    await instance.stop();
    supervisor.remove(name, instance);
  };
  try {
    while (present.length + added.length < count) added.push(await add());
  } catch (error) {
    await Promise.all(added.map(remove));
    throw error;
  }
  const started = await Promise.allSettled(
    added.map(async (instance) => {
      try {
        await instance.start();
        progress(`${instance.name} is ready`);
      } catch (error) {
        await remove(instance);
        throw error;
      }
    }),
  );
  await Promise.all(
    present.slice(count).map(async (instance) => {
      await remove(instance);
      progress(`${instance.name} has stopped`);
    }),
  );
  const failed = started.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}
