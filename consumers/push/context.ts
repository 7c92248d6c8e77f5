import type { Outbound } from "#kit/http/outbound.ts";
import type { PushKeys } from "../../services/notification/db/push-keys.ts";
import type { DeliveryContext } from "../delivery.ts";
import type { Signatures } from "./signatures.ts";

export interface PushGroupContext extends DeliveryContext {
  /** What subscriptions were made with. */
  readonly pushKeys: PushKeys;
  readonly signatures: Signatures;
  /** The way to push services, which browsers name. */
  readonly pushServices: Pick<Outbound, "post">;
  /** Where the product is reached; links of messages start with it. */
  readonly publicUrl: string;
}
