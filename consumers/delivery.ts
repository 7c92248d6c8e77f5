import { DeliveryEventSchema } from "#gen/notification/v1/delivery_events_pb.js";
import type { Notification } from "#gen/notification/v1/notification_pb.js";
import type { Database, EntityManager } from "#kit/db/database.ts";
import { unavailable } from "#kit/errors.ts";
import { type IncomingEvent, PermanentEventError } from "#kit/events/consumer.ts";
import { topics, usualRetryDelaysMs } from "#kit/events/topics.ts";
import { isId } from "#kit/id.ts";
import { logger } from "#observability/logger.ts";
import { counter } from "#observability/metrics.ts";
import type { DeliveryChannel } from "../services/notification/db/delivery.entity.ts";
import {
  claimDelivery,
  deliveryFailed,
  deliverySent,
  releaseDelivery,
} from "../services/notification/db/delivery.repository.ts";
import { channels } from "../services/notification/events.ts";
import { decodeEvent } from "./decode.ts";
import type { Group } from "./group.ts";

const log = logger("delivery");
const deliveries = counter("taskmesh.notification.deliveries");

/** A delivery that is asked for. */
export interface DeliveryOrder {
  deliveryId: string;
  recipientId: string;
  /** Empty but for the channel "webhook". */
  webhookId: string;
  /** As it stands in the inbox; undefined for the test of a webhook. */
  notification: Notification | undefined;
  /** Whether no further try follows by itself when this one fails. */
  isLastTry: boolean;
}

/** What became of a delivery. A failure is a short name for the reason, never a text or an address of somebody. */
export type DeliveryEnd = { state: "sent" } | { state: "failed"; failure: string };

/** It has to be tried again; the reason as in `DeliveryEnd`. */
export interface DeliveryAgain {
  state: "again";
  failure: string;
}

/** One way to reach people. */
export interface Carrier {
  channel: DeliveryChannel;
  /** How what is sent is named at the receiver, the same at every try; kept with the delivery. */
  messageId?(order: DeliveryOrder): string;
  /**
   * Brings it to its recipient, outside of any transaction. Throws, or answers "again", when it makes sense to try again.
   * What was thrown ends among the operator's dead letters if no try succeeds; "again" ends as a failed delivery, for
   * receivers that are not the operator's.
   */
  carry(order: DeliveryOrder, signal: AbortSignal): Promise<DeliveryEnd | DeliveryAgain>;
}

export interface DeliveryContext {
  readonly database: Database;
  /** Events whose delivery was taken by the receiver and whose end could not be recorded yet. */
  readonly accepted: { has(eventId: string): boolean; set(eventId: string, value: true): unknown };
}

/** A delivery that was tried. */
export interface Delivered {
  deliveryId: string;
  /** Undefined when it had been recorded before. */
  end: DeliveryEnd | undefined;
}

/** How long one try may take, in milliseconds. */
export const tryMs = 10_000;

// Longer than a try, so that it expires only for one whose process is gone.
const claimSeconds = tryMs / 1000 + 2;

/** A group that makes the deliveries of one channel, and records what became of them. */
export function deliveryGroup(ctx: DeliveryContext, carrier: Carrier): Group<Delivered> {
  const { channel } = carrier;
  // There from the start, so that the first one shows as a change.
  deliveries.add(0, { "taskmesh.channel": channel, "taskmesh.outcome": "failed" });
  return {
    topics: [topics.deliveries],
    timeoutMs: tryMs,
    concerns: (event) => requestOf(event).fact.value.channel === channels[channel],
    prepare: async (event) => deliver(ctx, carrier, event, orderOf(event)),
    handle: ({ em, prepared }) => record(em, prepared, carrier),
  };
}

/** The claim is taken before and the end recorded after the sending: no lock is held while the receiver answers. */
export async function deliver(
  { database, accepted }: DeliveryContext,
  carrier: Carrier,
  { signal, meta }: Pick<IncomingEvent, "signal" | "meta">,
  order: DeliveryOrder,
): Promise<Delivered> {
  const { deliveryId } = order;
  if (accepted.has(meta.eventId)) return { deliveryId, end: { state: "sent" } as const };
  const messageId = carrier.messageId?.(order) ?? null;
  const claim = await claimDelivery(database, { deliveryId, messageId, seconds: claimSeconds, signal });
  if (claim === "over") return { deliveryId, end: undefined };
  if (claim === "unknown") throw new PermanentEventError("refused");
  if (claim === "taken") throw unavailable("another consumer is at this delivery");
  let failure: string | undefined;
  try {
    const end = await carrier.carry(order, signal);
    if (end.state === "sent") accepted.set(meta.eventId, true);
    if (end.state !== "again") return { deliveryId, end };
    failure = end.failure;
    if (order.isLastTry) return { deliveryId, end: { state: "failed", failure } as const };
    throw unavailable(`the receiver has not taken it: ${failure}`);
  } catch (error) {
    // Should this fail too, the claim expires by itself.
    await releaseDelivery(database, deliveryId, failure).catch(() => {});
    throw error;
  }
}

/** Records the end of a delivery in the transaction that remembers its event. */
export async function record(em: EntityManager, { deliveryId, end }: Delivered, { channel }: Carrier): Promise<void> {
  if (end === undefined) return;
  if (end.state === "sent") await deliverySent(em, deliveryId);
  else await deliveryFailed(em, deliveryId, end.failure);
  deliveries.add(1, { "taskmesh.channel": channel, "taskmesh.outcome": end.state });
  if (end.state === "failed") {
    log.warn({ "taskmesh.channel": channel, "taskmesh.outcome": end.failure }, "a delivery has failed");
  }
}

function orderOf(event: IncomingEvent): DeliveryOrder {
  const { fact, recipientId } = requestOf(event);
  const { deliveryId, webhookId, notification } = fact.value;
  if (![deliveryId, recipientId].every(isId)) throw new PermanentEventError("refused");
  return {
    deliveryId,
    recipientId,
    webhookId,
    notification,
    isLastTry: event.meta.attempt > usualRetryDelaysMs.length,
  };
}

function requestOf(event: IncomingEvent) {
  if (event.meta.source !== "notification") throw new PermanentEventError("unknown_type");
  return decodeEvent(DeliveryEventSchema, event);
}
