import { counter, upDownCounter } from "#observability/metrics.ts";

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
