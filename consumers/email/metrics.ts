import { logger } from "#observability/logger.ts";
import { counter } from "#observability/metrics.ts";
import type { DeliveryEnd } from "./deliver.ts";

const log = logger("email");
const deliveries = counter("taskmesh.notification.deliveries");
// There from the start, so that the first one shows as a change.
deliveries.add(0, { "taskmesh.channel": "email", "taskmesh.outcome": "failed" });

/** A delivery has come to its end. */
export function reportDelivery(end: Exclude<DeliveryEnd, { state: "over" }>): void {
  deliveries.add(1, { "taskmesh.channel": "email", "taskmesh.outcome": end.state });
  if (end.state === "failed") log.warn({ "taskmesh.outcome": end.failure }, "a mail cannot be delivered");
}
