import { UserError } from "../../user-error.ts";
import type { Instance } from "../instance.ts";
import { processTree, signalAll } from "../process-tree.ts";

/** Ends a fault; must not throw and must do its work before it first waits, for the mesh may be stopping. */
export type Heal = () => void | Promise<void>;

/** Ends them at once without a word to them; `stayAway`: they are not started again until it is healed. */
export function kill(instances: readonly Instance[], stayAway: boolean): Heal {
  const back = Promise.withResolvers<void>();
  if (stayAway) for (const instance of instances) instance.keepAway(back.promise);
  signalAll(instances.map(pidOf), "SIGKILL");
  return () => back.resolve();
}

/** Stops them in the middle of whatever they do: connections stay, nobody answers. */
export async function pause(instances: readonly Instance[]): Promise<Heal> {
  const stopped: number[] = [];
  for (const instance of instances) {
    const root = pidOf(instance);
    // The eldest first, so that it starts no others meanwhile; then those of which it did not yet tell.
    signalAll([root], "SIGSTOP");
    stopped.push(...(await processTree(root)));
  }
  signalAll(stopped, "SIGSTOP");
  return () => signalAll([...stopped].reverse(), "SIGCONT");
}

function pidOf(instance: Instance): number {
  if (instance.pid === undefined) throw new UserError(`${instance.name} is not running just now (${instance.status})`);
  return instance.pid;
}
