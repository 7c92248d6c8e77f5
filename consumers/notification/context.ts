import type { InboxesContext } from "../inboxes.ts";
import type { People } from "../people.ts";

export interface NotificationGroupContext extends InboxesContext {
  readonly people: Pick<People, "byId">;
}
