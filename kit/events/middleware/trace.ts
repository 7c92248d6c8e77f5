import {
  extractContext,
  linksTo,
  markFailed,
  ROOT_CONTEXT,
  recordedSpan,
  SpanKind,
  setAttributes,
  withSpan,
} from "#observability/tracing.ts";
import type { ConsumerMiddleware, Delivery } from "../chain.ts";

/**
 * The wait in Kafka and the processing as spans. The processing is a child of the sending and carries a link to it;
 * in the mode "link" it starts a trace of its own and carries the link only.
 */
export const trace: ConsumerMiddleware = {
  name: "trace",
  wrap:
    (next, { group, traceMode }) =>
    (delivery) => {
      const { meta } = delivery;
      const producer = extractContext(delivery.headers);
      const links = linksTo(producer);
      const parent = traceMode === "child" ? producer : ROOT_CONTEXT;
      const attributes = {
        "messaging.system": "kafka",
        "messaging.destination.name": meta.topic,
        "messaging.destination.partition.id": String(meta.partition),
        "messaging.consumer.group.name": group,
        "taskmesh.event.type": meta.type,
      };
      if (links.length > 0) recordWait(delivery, producer, attributes);
      const options = {
        kind: SpanKind.CONSUMER,
        parent,
        links,
        attributes: {
          ...attributes,
          "messaging.operation.type": "process",
          "messaging.kafka.offset": Number(meta.offset),
          "messaging.message.id": meta.eventId,
          "taskmesh.event.attempt": meta.attempt,
        },
      };
      return withSpan(`process ${meta.topic}`, options, async (span) => {
        const outcome = await next(delivery);
        setAttributes(span, { "taskmesh.event.outcome": outcome.result });
        if (outcome.error !== undefined) markFailed(span, outcome.error);
        return outcome;
      });
    },
};

function recordWait(
  { meta, recordTime, fetchTime }: Delivery,
  producer: ReturnType<typeof extractContext>,
  attributes: object,
) {
  const start = recordTime < fetchTime ? recordTime : fetchTime;
  recordedSpan(`wait ${meta.topic}`, start, fetchTime, producer, { attributes, kind: SpanKind.INTERNAL });
}
