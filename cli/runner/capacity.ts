import { processNames } from "../topology.ts";
import { UserError } from "../user-error.ts";
import type { Instance } from "./instance.ts";

const mebibyte = 1_048_576;
/** What stays free for everybody else on the machine. */
const reserveBytes = 512 * mebibyte;
/** What a process takes at least once it works; those that run already may say more. */
const leastBytes = 128 * mebibyte;

export interface Capacity {
  /** How many more processes of ours find memory. */
  more: number;
  /** What each is taken to need. */
  bytesEach: number;
  freeBytes: number;
}

/** How many more processes this machine bears, by its free memory (or its container's) and by what those that run take. */
export function capacityFor(
  instances: readonly Pick<Instance, "name" | "residentBytes">[],
  freeBytes = process.availableMemory(),
): Capacity {
  const own = instances.filter(({ name }) => (processNames as string[]).includes(name.replace(/-\d+$/, "")));
  const bytesEach = Math.max(leastBytes, ...own.map(({ residentBytes }) => residentBytes));
  return { more: Math.max(0, Math.floor((freeBytes - reserveBytes) / bytesEach)), bytesEach, freeBytes };
}

/** Throws one line when so many more processes do not fit. */
export function checkCapacity(added: number, { more, bytesEach, freeBytes }: Capacity): void {
  if (added <= more) return;
  const inMiB = (bytes: number) => `${Math.round(bytes / mebibyte)} MiB`;
  throw new UserError(
    `This machine does not bear ${added} more processes: each needs about ${inMiB(bytesEach)}, and of ${inMiB(freeBytes)} free ${inMiB(reserveBytes)} stay so; take ${more} more at most`,
  );
}
