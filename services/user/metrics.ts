import { logger } from "#observability/logger.ts";
import { counter } from "#observability/metrics.ts";

const log = logger("user");
const created = counter("taskmesh.user.created");
const updated = counter("taskmesh.user.updated");

export function reportUserCreated(userId: string): void {
  created.add(1);
  log.info({ "taskmesh.user.id": userId }, "profile made");
}

/** `fields` are names of fields, never their values. */
export function reportUserUpdated(userId: string, fields: readonly string[]): void {
  updated.add(1);
  log.info({ "taskmesh.user.id": userId, fields }, "profile changed");
}
