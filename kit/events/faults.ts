import { readFileSync, unwatchFile, watchFile } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { Lifecycle } from "#kit/lifecycle.ts";
import type { EventHandler } from "./chain.ts";

const lookEveryMs = 200;

/** What is done to the events of one group. */
export interface GroupFault {
  /** Share of the tries that fail, 0 to 1. */
  failShare: number;
  /** By how much each try is late, in milliseconds. */
  delayMs: number;
}

/** What FAULTS_FILE holds: the faults by the name of the group. */
export type GroupFaults = Record<string, GroupFault>;

/** A try that was made to fail; it is treated like any other failure. */
export class InjectedFaultError extends Error {
  override readonly name = "InjectedFaultError";
}

/**
 * Makes a group's handler fail or wait as the file says, which may change while the process runs. Only for a mesh that
 * was started for faults; a file that is not there or cannot be read means none.
 */
export function withFaults<P>(
  handle: EventHandler<P>,
  { group, file, lifecycle }: { group: string; file: string; lifecycle: Lifecycle },
): EventHandler<P> {
  let fault = read(file, group);
  const look = () => {
    fault = read(file, group);
  };
  watchFile(file, { interval: lookEveryMs, persistent: false }, look);
  lifecycle.use(`faults of ${group}`, look, () => unwatchFile(file, look));
  return async (event) => {
    const { failShare = 0, delayMs = 0 } = fault ?? {};
    if (delayMs > 0) await delay(delayMs, undefined, { signal: event.signal });
    if (Math.random() < failShare) throw new InjectedFaultError("this try was made to fail");
    return handle(event);
  };
}

function read(file: string, group: string): GroupFault | undefined {
  try {
    return (JSON.parse(readFileSync(file, "utf8")) as GroupFaults)[group];
  } catch {
    return undefined;
  }
}
