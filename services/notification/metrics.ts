import { counter } from "#observability/metrics.ts";

const read = counter("taskmesh.notification.read");

/** An entry was read for the first time. */
export function reportRead(): void {
  read.add(1);
}
