import { DeliveryEventSchema } from "#gen/notification/v1/delivery_events_pb.js";
import { Channel } from "#gen/notification/v1/notification_pb.js";
import { type IncomingEvent, PermanentEventError } from "#kit/events/consumer.ts";
import { isId } from "#kit/id.ts";
import { decodeEvent } from "../../decode.ts";
import type { MailOrder } from "../deliver.ts";

export function onDeliveryEvent(event: IncomingEvent): MailOrder | undefined {
  const { fact, recipientId } = decodeEvent(DeliveryEventSchema, event);
  const { channel, deliveryId, notification } = fact.value;
  if (channel !== Channel.EMAIL) return undefined;
  if (notification === undefined || ![deliveryId, recipientId].every(isId)) throw new PermanentEventError("refused");
  return { deliveryId, recipientId, notification };
}
