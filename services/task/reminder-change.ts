import type { EntityManager } from "#kit/db/database.ts";
import type { OutgoingEvent } from "#kit/events/event.ts";
import { appendOutbox } from "#kit/events/outbox.ts";
import type { LockedTask } from "./access.ts";
import { saveEventSequence } from "./db/task.repository.ts";
import { isOpen } from "./domain/reminder.ts";
import { wrongState } from "./errors.ts";

/** Throws FAILED_PRECONDITION for a task of which nobody is reminded any more. */
export function mustBeOpen({ task }: Pick<LockedTask, "task">): void {
  if (!isOpen(task)) throw wrongState("nobody is reminded of a task that is done or cancelled");
}

/** Tells of a change of somebody's reminder, in the transaction that makes it. */
export async function tellReminder(em: EntityManager, { run, task }: LockedTask, event: OutgoingEvent): Promise<void> {
  await saveEventSequence(run, task);
  await appendOutbox(em, event);
}
