import type { DeliveryContext } from "../delivery.ts";
import type { People } from "../people.ts";
import type { Mailer } from "./mailer.ts";
import type { Sender } from "./sender.ts";

/** What a mail is made and sent with. */
export interface MailContext {
  readonly people: Pick<People, "byId">;
  readonly mailer: Pick<Mailer, "send">;
  readonly from: Sender;
  /** Where the product is reached; links of mails start with it. */
  readonly publicUrl: string;
}

export interface EmailGroupContext extends DeliveryContext, MailContext {}
