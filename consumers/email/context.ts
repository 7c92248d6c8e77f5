import type { Database } from "#kit/db/database.ts";
import type { People } from "../people.ts";
import type { Mailer } from "./mailer.ts";
import type { Sender } from "./sender.ts";

export interface EmailGroupContext {
  readonly database: Database;
  readonly people: Pick<People, "byId">;
  readonly mailer: Pick<Mailer, "send">;
  readonly from: Sender;
  /** Where the product is reached; links of mails start with it. */
  readonly publicUrl: string;
  /** Deliveries whose mail was taken and whose end could not be recorded yet. */
  readonly accepted: { has(deliveryId: string): boolean; set(deliveryId: string, value: true): unknown };
}
