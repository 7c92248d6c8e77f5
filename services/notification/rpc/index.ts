import type { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import type { ServiceImpl } from "#kit/grpc/service.ts";
import type { NotificationContext } from "../context.ts";
import { discardDeadLetters } from "./discard-dead-letters.ts";
import { getUnreadCount } from "./get-unread-count.ts";
import { listDeadLetters } from "./list-dead-letters.ts";
import { listNotifications } from "./list-notifications.ts";
import { markRead } from "./mark-read.ts";
import { redriveDeadLetters } from "./redrive-dead-letters.ts";
import { watchNotifications } from "./watch-notifications.ts";

export const rpc = (ctx: NotificationContext): ServiceImpl<typeof NotificationService> => ({
  listNotifications: listNotifications(ctx),
  markRead: markRead(ctx),
  getUnreadCount: getUnreadCount(ctx),
  watchNotifications: watchNotifications(ctx),
  listDeadLetters: listDeadLetters(ctx),
  redriveDeadLetters: redriveDeadLetters(ctx),
  discardDeadLetters: discardDeadLetters(ctx),
});
