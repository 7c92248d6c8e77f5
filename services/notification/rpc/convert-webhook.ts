import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { NotificationType } from "#gen/notification/v1/notification_pb.js";
import {
  Webhook_State,
  WebhookDelivery_State,
  type WebhookDeliverySchema,
  type WebhookSchema,
} from "#gen/notification/v1/webhook_pb.js";
import type { DeliveryState } from "../db/delivery.entity.ts";
import type { NotificationKind } from "../db/notification.entity.ts";
import type { WebhookState } from "../db/webhook.entity.ts";
import type { Webhook } from "../db/webhook.repository.ts";
import type { WebhookDelivery } from "../db/webhook-delivery.repository.ts";
import { webhookEtag } from "../domain/webhook-etag.ts";
import { typeOfKind } from "./convert.ts";

const states = {
  enabled: Webhook_State.ENABLED,
  disabled: Webhook_State.DISABLED,
  failing: Webhook_State.FAILING,
  gone: Webhook_State.GONE,
} satisfies Record<WebhookState, Webhook_State>;

const deliveryStates = {
  queued: WebhookDelivery_State.QUEUED,
  sending: WebhookDelivery_State.SENDING,
  sent: WebhookDelivery_State.SENT,
  failed: WebhookDelivery_State.FAILED,
} satisfies Record<DeliveryState, WebhookDelivery_State>;

/** Nothing of its secrets. */
export function webhookToProto(webhook: Webhook): MessageInitShape<typeof WebhookSchema> {
  const { failingSince, createTime, updateTime } = webhook;
  return {
    webhookId: webhook.webhookId,
    displayName: webhook.displayName,
    url: webhook.url,
    types: webhook.kinds.map((kind) => typeOfKind[kind]),
    state: states[webhook.state],
    failureCount: webhook.failures,
    failingSince: failingSince ? timestampFromDate(failingSince) : undefined,
    createTime: timestampFromDate(createTime),
    updateTime: timestampFromDate(updateTime),
    etag: webhookEtag(webhook),
  };
}

export function webhookDeliveryToProto(row: WebhookDelivery): MessageInitShape<typeof WebhookDeliverySchema> {
  return {
    webhookDeliveryId: row.deliveryId,
    notificationId: row.notificationId ?? "",
    type: row.kind ? typeOfKind[row.kind] : undefined,
    state: deliveryStates[row.state],
    attemptCount: row.attempts,
    failure: row.failure ?? "",
    createTime: timestampFromDate(row.createTime),
    sendTime: row.sendTime ? timestampFromDate(row.sendTime) : undefined,
    traceId: row.traceId,
  };
}

/** The state that an owner chose; undefined when it is not one that can be chosen. */
export function stateFromProto(state: Webhook_State): "enabled" | "disabled" | undefined {
  if (state === Webhook_State.ENABLED) return "enabled";
  return state === Webhook_State.DISABLED ? "disabled" : undefined;
}

export function kindsFromProto(types: readonly NotificationType[]): NotificationKind[] {
  const kinds = Object.keys(typeOfKind) as NotificationKind[];
  return types.flatMap((type) => kinds.filter((kind) => typeOfKind[kind] === type));
}
