import type { Instance } from "../instance.ts";
import { cpuSeconds, residentBytes } from "../process-table.ts";

type Measured = Pick<Instance, "name" | "pid" | "status">;

/** Cores that processes use, from one look to the next. */
export class CpuMeter {
  #before = new Map<number, { seconds: number; at: number }>();

  /** One number for each, or undefined for one that has not been seen before or is not ready. */
  async look(instances: readonly Measured[]): Promise<(number | undefined)[]> {
    const next = new Map<number, { seconds: number; at: number }>();
    const used = await Promise.all(
      instances.map(async ({ pid, status }) => {
        const seconds = pid === undefined || status !== "ready" ? undefined : await cpuSeconds(pid);
        if (pid === undefined || seconds === undefined) return undefined;
        const at = performance.now();
        next.set(pid, { seconds, at });
        const before = this.#before.get(pid);
        // A pid that was given to another process has used less than it had.
        if (before === undefined || before.seconds > seconds || before.at === at) return undefined;
        return (seconds - before.seconds) / ((at - before.at) / 1000);
      }),
    );
    this.#before = next;
    return used;
  }
}

/** Resident bytes of each; undefined for one that is not ready. */
export function memoryUsed(instances: readonly Measured[]): Promise<(number | undefined)[]> {
  return Promise.all(
    instances.map(async ({ pid, status }) =>
      pid === undefined || status !== "ready" ? undefined : (await residentBytes(pid)) || undefined,
    ),
  );
}
