import type { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import { decodePageToken, encodePageToken } from "#kit/db/page-token.ts";
import type { Unary } from "#kit/grpc/service.ts";
import type { NotificationContext } from "../context.ts";
import { listAlerts as list } from "../db/alert.repository.ts";
import { alertToProto } from "./convert-alert.ts";

const defaultPageSize = 20;

export const listAlerts =
  (ctx: NotificationContext): Unary<typeof NotificationService.method.listAlerts> =>
  async ({ unacknowledgedOnly, pageSize, pageToken }, call) => {
    const scope = { list: "alerts", personId: call.userId, unacknowledgedOnly };
    const limit = pageSize || defaultPageSize;
    const [place] = decodePageToken(ctx.pageKey, scope, pageToken) ?? [];
    const before = place === undefined ? undefined : String(place);
    const found = await list(ctx.database, call.userId, { unacknowledgedOnly, before, limit: limit + 1 }, call.signal);
    const page = found.slice(0, limit);
    const last = page.at(-1);
    const hasMore = found.length > limit && last !== undefined;
    return {
      alerts: page.map(alertToProto),
      nextPageToken: hasMore ? encodePageToken(ctx.pageKey, scope, [last.alertId]) : "",
    };
  };
