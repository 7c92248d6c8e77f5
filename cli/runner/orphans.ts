import { setTimeout as sleep } from "node:timers/promises";
import { startTimeOf } from "./process-table.ts";
import { processTree, signalAll } from "./process-tree.ts";
import type { InstanceState, MeshState } from "./state.ts";

const grace = 10_000;

/** True when the runner that wrote the state is still at work. */
export async function isRunning(state: MeshState | undefined): Promise<boolean> {
  if (state?.runner.startTime === undefined) return false;
  return (await startTimeOf(state.runner.pid)) === state.runner.startTime;
}

/**
 * Takes down what a killed runner left behind, in reverse order of starting. Only processes whose pid and start time
 * are both as recorded are touched. Answers with their names.
 */
export async function stopOrphans(state: MeshState | undefined): Promise<string[]> {
  const found: InstanceState[] = [];
  for (const instance of state?.instances ?? []) if (await isAlive(instance)) found.push(instance);
  const deadline = Date.now() + grace;
  for (const instance of found.reverse()) {
    send(instance, instance.name === "postgres" ? "SIGINT" : "SIGTERM");
    // A fault may have halted it, and what it has started.
    signalAll(await processTree(instance.pid as number), "SIGCONT");
  }
  while (Date.now() < deadline && (await anyAlive(found))) await sleep(50);
  for (const instance of found) if (await isAlive(instance)) send(instance, "SIGKILL");
  while (await anyAlive(found)) await sleep(20);
  return found.map((instance) => instance.name);
}

async function anyAlive(instances: readonly InstanceState[]): Promise<boolean> {
  for (const instance of instances) if (await isAlive(instance)) return true;
  return false;
}

async function isAlive({ pid, startTime }: InstanceState): Promise<boolean> {
  return pid !== undefined && startTime !== undefined && (await startTimeOf(pid)) === startTime;
}

function send({ pid }: InstanceState, signal: NodeJS.Signals): void {
  try {
    process.kill(pid as number, signal);
  } catch {
    // It ended by itself in the meantime.
  }
}
