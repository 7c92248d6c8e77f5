import type { InboxesContext } from "../inboxes.ts";
import type { People } from "../people.ts";

export interface SchedulerGroupContext extends InboxesContext {
  readonly people: Pick<People, "byId">;
  /** How late a reminder may come, in seconds; one that is later is missed. */
  readonly reminderLateSeconds: number;
}
