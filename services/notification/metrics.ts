import { logger } from "#observability/logger.ts";
import { counter, upDownCounter } from "#observability/metrics.ts";

const log = logger("notification");

const watches = upDownCounter("taskmesh.notification.watches");
const read = counter("taskmesh.notification.read");
const alerts = counter("taskmesh.notification.alerts");

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

/** Somebody raised an alert, or acknowledged it. The log tells who did what with it, and when. */
export function reportAlert({ alertId }: { alertId: string }, act: "raised" | "acknowledged", userId: string): void {
  alerts.add(1, { "taskmesh.outcome": act });
  log.info({ "taskmesh.alert.id": alertId, "taskmesh.user.id": userId }, `alert ${act}`);
}

/** People are told of alerts again, since nobody has acknowledged them. */
export function reportRepeats(count: number): void {
  if (count > 0) alerts.add(count, { "taskmesh.outcome": "repeated" });
}

export function reportRepeatsFailed(error: unknown): void {
  log.warn({ error }, "alerts that are due could not be looked for");
}
