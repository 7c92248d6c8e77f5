import type { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import { invalidArgument } from "#kit/errors.ts";
import { appendOutboxAll } from "#kit/events/outbox.ts";
import type { Unary } from "#kit/grpc/service.ts";
import { newId } from "#kit/id.ts";
import { activeTraceId } from "#observability/tracing.ts";
import { alertRaised } from "../alert-events.ts";
import { mustDiffer } from "../contacts.ts";
import type { NotificationContext } from "../context.ts";
import { insertAlert } from "../db/alert.repository.ts";
import { reportAlert } from "../metrics.ts";
import { alertToProto } from "./convert-alert.ts";

export const raiseAlert =
  (ctx: NotificationContext): Unary<typeof NotificationService.method.raiseAlert> =>
  async (request, call) => {
    // Ids are compared as text; UUIDs may be written in capital letters.
    const recipientIds = request.recipientIds.map((id) => id.toLowerCase());
    const escalationIds = request.escalationIds.map((id) => id.toLowerCase());
    const people = { recipient_ids: recipientIds, escalation_ids: escalationIds };
    if (request.message.trim() === "") throw invalidArgument("message", "an alert needs to say what is the matter");
    mustDiffer(people);
    await ctx.contacts.mustKnow(people, call);
    const contacts = [
      ...recipientIds.map((recipientId) => ({ recipientId, level: 0 })),
      ...escalationIds.map((recipientId, index) => ({ recipientId, level: index + 1 })),
    ];
    const { latitude = null, longitude = null } = request.location ?? {};
    const alert = await ctx.database.transactional(
      async (em) => {
        const raised = await insertAlert(
          em,
          {
            alertId: newId(),
            raiserId: call.userId,
            message: request.message,
            latitude,
            longitude,
            traceId: activeTraceId() ?? "",
          },
          contacts,
          ctx.alertPace,
        );
        await appendOutboxAll(em, alertRaised(raised));
        return raised;
      },
      { signal: call.signal },
    );
    reportAlert(alert, "raised", call.userId);
    return { alert: alertToProto(alert) };
  };
