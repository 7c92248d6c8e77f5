import { errorType } from "#observability/error-type.ts";
import { counter, histogram } from "#observability/metrics.ts";
import type { ConsumerMiddleware } from "../chain.ts";

const duration = histogram("messaging.process.duration");
const age = histogram("taskmesh.event.age");
const retries = counter("taskmesh.event.retries");
const deadLetters = counter("taskmesh.event.dead_letters");
const duplicates = counter("taskmesh.event.duplicates");

/** Counts what became of each event and how long it took. */
export const measure: ConsumerMiddleware = {
  name: "measure",
  wrap: (next, { group }) => {
    const byGroup = { "messaging.consumer.group.name": group };
    // There from the start, so that the first one shows as a change.
    for (const counted of [retries, deadLetters, duplicates]) counted.add(0, byGroup);
    return async (delivery) => {
      const { meta } = delivery;
      const started = performance.now();
      const { result, error } = await next(delivery);
      duration.record((performance.now() - started) / 1000, {
        ...byGroup,
        "messaging.destination.name": meta.topic,
        "taskmesh.event.outcome": result,
      });
      if (result === "done") age.record(Math.max(0, Date.now() - meta.occurTime.getTime()) / 1000, byGroup);
      else if (result === "retried") retries.add(1, { ...byGroup, "taskmesh.event.attempt": meta.attempt });
      else if (result === "dead") deadLetters.add(1, { ...byGroup, "error.type": errorType(error) });
      else if (result === "duplicate") duplicates.add(1, byGroup);
      return { result, error };
    };
  },
};
