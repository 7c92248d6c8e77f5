import type { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import { decodePageToken, encodePageToken } from "#kit/db/page-token.ts";
import type { Unary } from "#kit/grpc/service.ts";
import type { NotificationContext } from "../context.ts";
import { listWebhookDeliveries as list } from "../db/webhook-delivery.repository.ts";
import { webhookDeliveryToProto } from "./convert-webhook.ts";
import { readWebhook } from "./webhook-input.ts";

const defaultPageSize = 50;

export const listWebhookDeliveries =
  (ctx: NotificationContext): Unary<typeof NotificationService.method.listWebhookDeliveries> =>
  async ({ webhookId, pageSize, pageToken }, call) => {
    const { database, pageKey } = ctx;
    const scope = { list: "webhook deliveries", webhookId };
    const limit = pageSize || defaultPageSize;
    const [sequence] = decodePageToken(pageKey, scope, pageToken) ?? [];
    const before = sequence === undefined ? undefined : BigInt(String(sequence));

    await readWebhook(ctx, call, webhookId);
    const found = await list(database, { webhookId, before, limit: limit + 1 }, call.signal);
    const page = found.slice(0, limit);
    const last = page.at(-1);
    const hasMore = found.length > limit && last !== undefined;
    return {
      webhookDeliveries: page.map(webhookDeliveryToProto),
      nextPageToken: hasMore ? encodePageToken(pageKey, scope, [String(last.sequence)]) : "",
    };
  };
