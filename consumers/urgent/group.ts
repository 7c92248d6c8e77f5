import { AlertEventSchema } from "#gen/notification/v1/alert_events_pb.js";
import { type IncomingEvent, PermanentEventError } from "#kit/events/consumer.ts";
import { topics } from "#kit/events/topics.ts";
import { decodeEvent } from "../decode.ts";
import { type Delivered, deliver, record, tryMs } from "../delivery.ts";
import type { Group } from "../group.ts";
import type { UrgentGroupContext } from "./context.ts";
import { type AlertNotice, writeNotice } from "./notice.ts";
import { putNotice } from "./put-notice.ts";

type Prepared = { notice: AlertNotice | undefined } | { mail: Delivered };

/** Brings alerts to people at once: into their inboxes, and by mail. */
export const urgentGroup = (ctx: UrgentGroupContext): Group<Prepared> => ({
  topics: [topics.urgent],
  timeoutMs: tryMs,
  database: ctx.urgent.database,
  prepare: async (event) => {
    const { fact, ...alert } = alertEventOf(event);
    if (fact.case !== "alertMailRequested") return { notice: await writeNotice(ctx, alert, fact, event.signal) };
    const { deliveryId, notification } = fact.value;
    const order = { deliveryId, recipientId: alert.recipientId, webhookId: "", notification, isLastTry: false };
    return { mail: await deliver(ctx.urgent, ctx.urgentMail, event, order) };
  },
  handle: async ({ meta, em, prepared }) => {
    if ("mail" in prepared) await record(em, prepared.mail, ctx.urgentMail);
    else if (prepared.notice !== undefined) await putNotice(ctx, em, meta.eventId, prepared.notice);
  },
});

function alertEventOf(event: IncomingEvent) {
  if (event.meta.source !== "notification") throw new PermanentEventError("unknown_type");
  return decodeEvent(AlertEventSchema, event);
}
