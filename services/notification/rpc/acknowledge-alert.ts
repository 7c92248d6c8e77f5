import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import type { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import { notFound } from "#kit/errors.ts";
import { appendOutbox } from "#kit/events/outbox.ts";
import type { Unary } from "#kit/grpc/service.ts";
import { alertAcknowledged } from "../alert-events.ts";
import type { NotificationContext } from "../context.ts";
import { acknowledgeAlert as acknowledge, findAlert } from "../db/alert.repository.ts";
import { reportAlert } from "../metrics.ts";
import { alertToProto } from "./convert-alert.ts";

export const acknowledgeAlert =
  (ctx: NotificationContext): Unary<typeof NotificationService.method.acknowledgeAlert> =>
  async ({ alertId }, call) => {
    const { alert, isNew } = await ctx.database.transactional(
      async (em) => {
        const done = await acknowledge(em, alertId, call.userId);
        if (done === undefined) throw notFound(ErrorReason.ALERT_NOT_FOUND, "no such alert");
        // Nobody is told of what they did themselves.
        if (done.isNew && done.raiserId !== call.userId) {
          await appendOutbox(em, alertAcknowledged(alertId.toLowerCase(), call.userId, done, new Date()));
        }
        const found = await findAlert(em, alertId);
        if (found === undefined) throw notFound(ErrorReason.ALERT_NOT_FOUND, "no such alert");
        return { alert: found, isNew: done.isNew };
      },
      { signal: call.signal },
    );
    if (isNew) reportAlert(alert, "acknowledged", call.userId);
    return { alert: alertToProto(alert) };
  };
