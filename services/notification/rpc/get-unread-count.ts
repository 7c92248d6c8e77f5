import type { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import type { Unary } from "#kit/grpc/service.ts";
import type { NotificationContext } from "../context.ts";
import { countUnread } from "../db/inbox.repository.ts";

export const getUnreadCount =
  (ctx: NotificationContext): Unary<typeof NotificationService.method.getUnreadCount> =>
  (_request, call) =>
    countUnread(ctx.database, call.userId, call.signal);
