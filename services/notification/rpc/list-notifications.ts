import type { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import { decodePageToken, encodePageToken } from "#kit/db/page-token.ts";
import type { Unary } from "#kit/grpc/service.ts";
import type { NotificationContext } from "../context.ts";
import { listEntries } from "../db/inbox.repository.ts";
import { notificationToProto } from "./convert.ts";

const defaultPageSize = 50;

export const listNotifications =
  (ctx: NotificationContext): Unary<typeof NotificationService.method.listNotifications> =>
  async ({ unreadOnly, pageSize, pageToken }, call) => {
    const scope = { recipientId: call.userId, unreadOnly };
    const limit = pageSize || defaultPageSize;
    const [position] = decodePageToken(ctx.pageKey, scope, pageToken) ?? [];
    const before = position === undefined ? undefined : BigInt(String(position));

    const found = await listEntries(ctx.database, call.userId, { unreadOnly, before, limit: limit + 1 }, call.signal);
    const page = found.slice(0, limit);
    const last = page.at(-1);
    const hasMore = found.length > limit && last !== undefined;
    return {
      notifications: page.map(notificationToProto),
      nextPageToken: hasMore ? encodePageToken(ctx.pageKey, scope, [String(last.position)]) : "",
    };
  };
