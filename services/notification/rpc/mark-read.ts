import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import type { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import { notFound } from "#kit/errors.ts";
import type { Unary } from "#kit/grpc/service.ts";
import type { NotificationContext } from "../context.ts";
import { findEntry, markRead as markEntry } from "../db/inbox.repository.ts";
import { reportRead } from "../metrics.ts";
import { notificationToProto } from "./convert.ts";

export const markRead =
  (ctx: NotificationContext): Unary<typeof NotificationService.method.markRead> =>
  async ({ notificationId }, call) => {
    const changed = await markEntry(ctx.database, call.userId, notificationId, call.signal);
    const entry = await findEntry(ctx.database, call.userId, notificationId, call.signal);
    if (entry === null) throw notFound(ErrorReason.NOTIFICATION_NOT_FOUND, "no such notification");
    if (changed) reportRead();
    return { notification: notificationToProto(entry) };
  };
