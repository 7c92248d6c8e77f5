import type { IncomingEvent } from "#kit/events/consumer.ts";
import type { MailOrder } from "../deliver.ts";
import { onDeliveryEvent } from "./delivery-event.ts";

/** By the service that an event is of; undefined for what goes over another channel. */
export const handlers: Record<string, (event: IncomingEvent) => MailOrder | undefined> = {
  notification: onDeliveryEvent,
};
