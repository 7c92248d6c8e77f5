import { defineEntity, type InferEntity, p } from "@mikro-orm/core";

const moment = () => p.datetime().columnType("timestamptz(3)");

/** A call for help. */
export const AlertEntity = defineEntity({
  name: "Alert",
  tableName: "alert",
  properties: {
    alertId: p.uuid().primary(),
    raiserId: p.uuid(),
    message: p.text(),
    /** Degrees; both or neither. */
    latitude: p.double().$type<number>().nullable(),
    longitude: p.double().$type<number>().nullable(),
    createTime: moment(),
    /** When it was acknowledged first, and by whom. */
    acknowledgeTime: moment().nullable(),
    acknowledgerId: p.uuid().nullable(),
    traceId: p.text(),
  },
  checks: [{ name: "alert_location", expression: "(latitude is null) = (longitude is null)" }],
  indexes: [{ name: "alert_raiser", properties: ["raiserId", "alertId"] }],
});

/** An alert and one of those who are told of it. */
export const AlertRecipientEntity = defineEntity({
  name: "AlertRecipient",
  tableName: "alert_recipient",
  properties: {
    alertId: p.uuid().primary(),
    recipientId: p.uuid().primary(),
    /** The order in which the raiser named them. */
    place: p.integer(),
    /** 0 for those who are told at once; then the contacts, each a level of its own. */
    level: p.integer(),
    /** How many notices were asked for. */
    notices: p.integer(),
    /** When the next one is due; empty when there is none to come. */
    nextNoticeTime: moment().nullable(),
    /** When the first one reached the inbox. */
    notifyTime: moment().nullable(),
    acknowledgeTime: moment().nullable(),
  },
  indexes: [
    { name: "alert_recipient_person", properties: ["recipientId", "alertId"] },
    {
      name: "alert_recipient_due",
      expression:
        "create index alert_recipient_due on alert_recipient (next_notice_time) where next_notice_time is not null",
    },
  ],
});

export type AlertRow = InferEntity<typeof AlertEntity>;
export type AlertRecipientRow = InferEntity<typeof AlertRecipientEntity>;
