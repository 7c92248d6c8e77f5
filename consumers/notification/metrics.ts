import { counter } from "#observability/metrics.ts";

const created = counter("taskmesh.notification.created");

/** An event put this many notifications in inboxes. */
export function reportCreated(count: number): void {
  if (count > 0) created.add(count);
}
