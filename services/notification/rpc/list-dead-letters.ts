import type { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import { decodePageToken, encodePageToken } from "#kit/db/page-token.ts";
import { listDeadLetters as list } from "#kit/events/dead-letter-list.ts";
import type { Unary } from "#kit/grpc/service.ts";
import type { NotificationContext } from "../context.ts";
import { deadLetterToProto } from "./convert.ts";

const defaultPageSize = 100;

export const listDeadLetters =
  ({ database, pageKey }: NotificationContext): Unary<typeof NotificationService.method.listDeadLetters> =>
  async ({ group, deadLetterIds, eventType, reason, includeRedriven, includePayload, pageSize, pageToken }, call) => {
    const scope = { list: "dead letters", group, deadLetterIds, eventType, reason, includeRedriven };
    const limit = pageSize || defaultPageSize;
    const [before] = decodePageToken(pageKey, scope, pageToken) ?? [];
    const found = await list(database, {
      group: group || undefined,
      deadLetterIds: deadLetterIds.length > 0 ? deadLetterIds : undefined,
      type: eventType || undefined,
      reason: reason || undefined,
      includeRedriven,
      before: before === undefined ? undefined : String(before),
      limit: limit + 1,
      withPayload: includePayload,
      signal: call.signal,
    });
    const page = found.slice(0, limit);
    const last = page.at(-1);
    const hasMore = found.length > limit && last !== undefined;
    return {
      deadLetters: page.map(deadLetterToProto),
      nextPageToken: hasMore ? encodePageToken(pageKey, scope, [last.deadLetterId]) : "",
    };
  };
