import { trace } from "@opentelemetry/api";
import {
  extractContext,
  injectContext,
  markFailed,
  recordedSpan,
  type Span,
  SpanKind,
  startSpan,
} from "#observability/tracing.ts";
import { cloudEventHeaders } from "./event.ts";
import type { OutgoingRecord } from "./producer.ts";
import type { OutboxRow } from "./relay-cursor.ts";

/** A batch on its way: its records, and the spans of those that somebody traces. */
export interface TracedBatch {
  records: OutgoingRecord[];
  end(error?: unknown): void;
}

/** For each traced row the wait in the outbox and the sending become spans; the sending's context travels on. */
export function traceBatch(rows: readonly OutboxRow[], source: string): TracedBatch {
  const spans: Span[] = [];
  const picked = new Date();
  const records = rows.map((row) => {
    const headers = cloudEventHeaders(
      { eventId: row.event_id, type: row.type, sequence: row.sequence, occurTime: row.occur_time },
      source,
    );
    if (row.traceparent !== null) traceRow(row, picked, headers, spans);
    return { topic: row.topic, key: row.key, value: row.payload, headers };
  });
  const end = (error?: unknown) => {
    for (const span of spans) {
      if (error !== undefined) markFailed(span, error);
      span.end();
    }
  };
  return { records, end };
}

function traceRow(row: OutboxRow, picked: Date, headers: Record<string, string>, spans: Span[]): void {
  const carrier = { traceparent: row.traceparent ?? undefined, tracestate: row.tracestate ?? undefined };
  const parent = extractContext(carrier);
  const attributes = { "taskmesh.event.type": row.type, "messaging.destination.name": row.topic };
  recordedSpan("outbox wait", row.occur_time < picked ? row.occur_time : picked, picked, parent, attributes);
  const span = startSpan(
    `send ${row.topic}`,
    {
      kind: SpanKind.PRODUCER,
      startTime: picked,
      attributes: {
        ...attributes,
        "messaging.system": "kafka",
        "messaging.operation.type": "send",
        "messaging.message.id": row.event_id,
      },
    },
    parent,
  );
  injectContext(headers, trace.setSpan(parent, span));
  spans.push(span);
}
