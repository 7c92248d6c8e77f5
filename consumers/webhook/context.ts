import type { Outbound } from "#kit/http/outbound.ts";
import type { Patience, Webhooks } from "../../services/notification/db/webhook.repository.ts";
import type { DeliveryContext } from "../delivery.ts";
import type { InboxesContext } from "../inboxes.ts";
import type { People } from "../people.ts";

export interface WebhookGroupContext extends DeliveryContext, InboxesContext {
  readonly people: Pick<People, "byId">;
  readonly webhooks: Webhooks;
  readonly webhookPatience: Patience;
  readonly outbound: Pick<Outbound, "post">;
}
