import type { Carrier, DeliveryContext } from "../delivery.ts";
import type { InboxesContext } from "../inboxes.ts";
import type { People } from "../people.ts";

export interface UrgentGroupContext {
  /** With a pool of its own: whatever the other groups do, there is a connection for an alert. */
  readonly urgent: DeliveryContext & InboxesContext;
  /** Sends the mails of alerts, over connections of its own. */
  readonly urgentMail: Carrier;
  readonly people: Pick<People, "byId">;
}
