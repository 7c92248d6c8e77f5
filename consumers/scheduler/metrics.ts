import { logger } from "#observability/logger.ts";
import { counter, gauge } from "#observability/metrics.ts";

const log = logger("scheduler");
const leader = gauge("taskmesh.scheduler.leader");
const lag = gauge("taskmesh.scheduler.lag");
const firedReminders = counter("taskmesh.scheduler.fired");
const missedReminders = counter("taskmesh.scheduler.missed");

/** There from the start, so that nobody's leading shows as 0 and the first reminder as a change. */
export function reportStart(): void {
  leader.record(0);
  firedReminders.add(0);
  missedReminders.add(0);
}

export function reportLeading(leads: boolean): void {
  leader.record(leads ? 1 : 0);
  if (!leads) lag.record(0);
  log.info(leads ? "leads: reminds people of what is due" : "no longer leads");
}

/** For how many seconds the oldest reminder that is due has waited. */
export function reportLag(seconds: number): void {
  lag.record(seconds);
}

export function reportReminders(fired: number, missed: number): void {
  firedReminders.add(fired);
  missedReminders.add(missed);
  if (missed > 0) log.warn({ count: missed }, "reminders came too late and are dropped");
}

export function reportFailure(error: unknown, count: number): void {
  log.warn({ error, count }, "could not remind people; it is tried again");
}
