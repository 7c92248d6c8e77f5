import { setTimeout as delay } from "node:timers/promises";
import { isConnectionError } from "#kit/db/errors.ts";
import { Code, ServiceError } from "#kit/errors.ts";
import { isId } from "#kit/id.ts";
import { errorType } from "#observability/error-type.ts";
import { logger } from "#observability/logger.ts";
import {
  type ChainContext,
  type ConsumerMiddleware,
  type Delivery,
  type Outcome,
  PermanentEventError,
  type Step,
} from "../chain.ts";

const log = logger("consumer");

/**
 * An event that fails goes through the retry topics and then to the dead letters; the later events of its key go behind
 * it. What is not the event's fault (its own database is away) is thrown on: the consumer waits and tries in place.
 */
export const retry: ConsumerMiddleware = {
  name: "retry",
  wrap: (next, context) => async (delivery) => {
    const { parkedKeys } = context;
    if (!isId(delivery.meta.eventId)) return giveUp(context, delivery, new PermanentEventError("not_an_event"));
    const ahead = await parkedKeys.ahead(delivery);
    if (ahead !== undefined) {
      await parkedKeys.follow(delivery, ahead);
      return { result: "parked" };
    }
    try {
      const outcome = await throughConflicts(next, delivery);
      await parkedKeys.release(delivery);
      return outcome;
    } catch (error) {
      if (isOwnOutage(error)) throw error;
      return failed(context, delivery, error);
    }
  },
};

async function failed(context: ChainContext, delivery: Delivery, error: unknown): Promise<Outcome> {
  if (error instanceof PermanentEventError) return giveUp(context, delivery, error);
  if (!(await context.parkedKeys.retry(delivery))) return giveUp(context, delivery, error);
  const { eventId, type, attempt } = delivery.meta;
  log.warn(
    { group: context.group, eventId, type, attempt, errorClass: errorType(error) },
    "an event is tried again later",
  );
  return { result: "retried", error };
}

async function giveUp(context: ChainContext, delivery: Delivery, error: unknown): Promise<Outcome> {
  await context.deadLetters.bury(delivery, error);
  if (isId(delivery.meta.eventId)) await context.parkedKeys.release(delivery);
  const { eventId, type, attempt, topic, partition, offset } = delivery.meta;
  log.error(
    { group: context.group, eventId, type, attempt, topic, partition, offset, errorClass: errorType(error), error },
    "an event became a dead letter",
  );
  return { result: "dead", error };
}

/** Two transactions in each other's way are sorted out at once, without a retry topic. */
async function throughConflicts(next: Step, delivery: Delivery): Promise<Outcome> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await next(delivery);
    } catch (error) {
      const isConflict = error instanceof ServiceError && error.code === Code.ABORTED;
      if (!isConflict || tries === 3) throw error;
      await delay(tries * (10 + Math.random() * 40));
    }
  }
}

function isOwnOutage(error: unknown): boolean {
  return isConnectionError(error) || (error instanceof ServiceError && isConnectionError(error.cause));
}
