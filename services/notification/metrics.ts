import { logger } from "#observability/logger.ts";
import { counter, upDownCounter } from "#observability/metrics.ts";

const log = logger("notification");

const watches = upDownCounter("taskmesh.notification.watches");
const read = counter("taskmesh.notification.read");

/** An entry was read for the first time. */
export function reportRead(): void {
  read.add(1);
}

/** Somebody began to watch an inbox. */
export function watchStarted(): void {
  watches.add(1);
}

export function watchEnded(): void {
  watches.add(-1);
}

/** The operator sent dead letters of a group back. */
export function reportRedrive(group: string, count: number): void {
  log.info({ group, count }, "dead letters were sent back to their group");
}

/** The operator had dead letters of a group forgotten. */
export function reportDiscard(group: string, count: number): void {
  log.info({ group, count }, "dead letters were discarded");
}
