import { type ProcessName, processNames } from "../topology.ts";
import { UserError } from "../user-error.ts";
import type { Instance } from "./instance.ts";
import type { RunningMesh } from "./running-mesh.ts";
import type { Supervisor } from "./supervisor.ts";

const mostReplicas = 32;

/** The process that is meant; throws one line when it cannot be scaled to that. */
function checkScale(service: string, count: number): ProcessName {
  const names = processNames.filter((name) => name !== "mail");
  const name = names.find((known) => known === service);
  if (name === undefined) throw new UserError(`There is no service "${service}": take one of ${names.join(", ")}`);
  if (!Number.isInteger(count) || count < 1 || count > mostReplicas) {
    throw new UserError(`${service} cannot have ${count} instances: take a number from 1 to ${mostReplicas}`);
  }
  return name;
}

/** Sets the number of instances of a process; resolves once Envoy follows. */
export async function scale(
  mesh: RunningMesh,
  { service, count }: { service: string; count: number },
  progress: (line: string) => void,
): Promise<void> {
  const name = checkScale(service, count);
  const { supervisor } = mesh;
  await mesh.inTurn(() => scaleTo({ supervisor, name, count, add: () => mesh.addInstance(name), progress }));
  await mesh.settle();
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
  while (present.length + added.length < count) added.push(await add());
  const remove = async (instance: Instance) => {
    await instance.stop();
    supervisor.remove(name, instance);
  };
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
