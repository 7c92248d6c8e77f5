import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import type { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import { notFound } from "#kit/errors.ts";
import { mustMatch } from "#kit/grpc/precondition.ts";
import type { Unary } from "#kit/grpc/service.ts";
import type { NotificationContext } from "../context.ts";
import { lockEntry, markRead as markEntry } from "../db/inbox.repository.ts";
import { etagOf } from "../domain/etag.ts";
import { announceInboxes } from "../events.ts";
import { reportRead } from "../metrics.ts";
import { notificationToProto } from "./convert.ts";

export const markRead =
  (ctx: NotificationContext): Unary<typeof NotificationService.method.markRead> =>
  async ({ notificationId, etag }, call) => {
    const { entry, changed } = await ctx.database.transactional(
      async (em) => {
        const seen = await lockEntry(em, call.userId, notificationId);
        if (seen === null) throw notFound(ErrorReason.NOTIFICATION_NOT_FOUND, "no such notification");
        mustMatch(call, etag, { etag: etagOf(seen) });
        if (seen.readTime) return { entry: seen, changed: false };
        ctx.database.afterCommit(() => announceInboxes(ctx.redis, [call.userId]), em);
        return { entry: await markEntry(em, seen), changed: true };
      },
      { signal: call.signal },
    );
    if (changed) reportRead();
    return { notification: notificationToProto(entry) };
  };
