import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type AlertDeliverySchema, type AlertSchema, AlertState } from "#gen/notification/v1/alert_pb.js";
import type { AlertDeliveryRow, AlertWithDeliveries } from "../db/alert.repository.ts";

export function alertToProto(alert: AlertWithDeliveries): MessageInitShape<typeof AlertSchema> {
  return {
    alertId: alert.alertId,
    raiserId: alert.raiserId,
    message: alert.message,
    location: locationToProto(alert),
    createTime: timestampFromDate(alert.createTime),
    acknowledgeTime: timestamp(alert.acknowledgeTime),
    acknowledgerId: alert.acknowledgerId ?? "",
    deliveries: alert.deliveries.map(deliveryToProto),
    traceId: alert.traceId,
  };
}

export function locationToProto({ latitude, longitude }: { latitude?: number | null; longitude?: number | null }) {
  return latitude == null || longitude == null ? undefined : { latitude, longitude };
}

function deliveryToProto(delivery: AlertDeliveryRow): MessageInitShape<typeof AlertDeliverySchema> {
  return {
    recipientId: delivery.recipientId,
    state: stateOf(delivery),
    escalationLevel: delivery.level,
    noticeCount: delivery.notices,
    notifyTime: timestamp(delivery.notifyTime),
    acknowledgeTime: timestamp(delivery.acknowledgeTime),
    nextNoticeTime: timestamp(delivery.nextNoticeTime),
  };
}

function stateOf({ notices, notifyTime, acknowledgeTime }: AlertDeliveryRow): AlertState {
  if (acknowledgeTime) return AlertState.ACKNOWLEDGED;
  if (notifyTime) return AlertState.NOTIFIED;
  return notices > 0 ? AlertState.RAISED : AlertState.WAITING;
}

function timestamp(moment: Date | null | undefined) {
  return moment ? timestampFromDate(moment) : undefined;
}
