import { startChild, waitUntilReady } from "../child.ts";
import type { ProcessSpec, RunningPart } from "../process-spec.ts";

/** Starts one part on its own, without supervision, and waits until it answers. */
export async function startPart(spec: ProcessSpec, address: string): Promise<RunningPart> {
  await spec.beforeStart?.();
  const child = await startChild(spec);
  try {
    await waitUntilReady(spec, child);
  } catch (error) {
    await child.stop();
    throw error;
  }
  return { address, pid: child.pid, stop: child.stop };
}
