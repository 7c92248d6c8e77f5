import { writeFileSync } from "node:fs";
import { setPriority } from "node:os";

const niceness = 10;

/**
 * Lets a program that nobody waits for have what others leave of the processors, and a tenth of them at the least.
 * Linux deals the time out among sessions first where there are no control groups (autogroups of sched(7)), and each of
 * our programs is a session of its own: the niceness of the process alone would count for nothing there.
 */
export function runInBackground(pid: number): void {
  try {
    setPriority(pid, niceness);
    writeFileSync(`/proc/${pid}/autogroup`, String(niceness));
  } catch {
    // It has ended already, or this is no Linux: it runs as any other.
  }
}
