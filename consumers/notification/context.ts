import type { People } from "../people.ts";

export interface NotificationGroupContext {
  readonly people: Pick<People, "byId">;
  /** Where deliveries are asked for. */
  readonly deliveryTopic: string;
}
