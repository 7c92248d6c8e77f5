import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { AlertEventSchema } from "#gen/notification/v1/alert_events_pb.js";
import type { OutgoingEvent } from "#kit/events/outbox.ts";
import { topics } from "#kit/events/topics.ts";
import type { Acknowledgement, AlertWithDeliveries, DueNotice } from "./db/alert.repository.ts";
import { acknowledgementEventId, noticeEventId } from "./domain/alert-ids.ts";
import { locationToProto } from "./rpc/convert-alert.ts";

/** The first notices of an alert. */
export function alertRaised(alert: AlertWithDeliveries): OutgoingEvent[] {
  return alert.deliveries
    .filter(({ notices }) => notices > 0)
    .map(({ recipientId, notices }) => noticeDue({ ...alert, recipientId, notices, occurTime: alert.createTime }));
}

/** A notice that a person is to get now. */
export function noticeDue({ alertId, recipientId, notices, occurTime, ...alert }: DueNotice): OutgoingEvent {
  const repeat = notices - 1;
  return outgoing("AlertRaised", {
    eventId: noticeEventId(alertId, recipientId, repeat),
    sequence: BigInt(notices),
    occurTime,
    recipientId,
    alertId,
    fact: {
      case: "alertRaised",
      value: { raiserId: alert.raiserId, message: alert.message, location: locationToProto(alert), repeat },
    },
  });
}

/** The raiser is to hear that somebody has acknowledged the alert. */
export function alertAcknowledged(
  alertId: string,
  acknowledgerId: string,
  { raiserId, message }: Acknowledgement,
  occurTime: Date,
): OutgoingEvent {
  return outgoing("AlertAcknowledged", {
    eventId: acknowledgementEventId(alertId, acknowledgerId),
    sequence: 0n,
    occurTime,
    recipientId: raiserId,
    alertId,
    fact: { case: "alertAcknowledged", value: { acknowledgerId, message } },
  });
}

interface Facts extends Omit<MessageInitShape<typeof AlertEventSchema>, "$typeName" | "occurTime"> {
  eventId: string;
  sequence: bigint;
  occurTime: Date;
  recipientId: string;
  alertId: string;
}

function outgoing(fact: string, { occurTime, ...event }: Facts): OutgoingEvent {
  const full = create(AlertEventSchema, { ...event, occurTime: timestampFromDate(occurTime) });
  return {
    topic: topics.urgent,
    key: event.recipientId,
    eventId: event.eventId,
    type: `notification.v1.${fact}`,
    sequence: event.sequence,
    payload: toBinary(AlertEventSchema, full),
    occurTime,
  };
}
