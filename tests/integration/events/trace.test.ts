import { trace as api, context } from "@opentelemetry/api";
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { startConsumer } from "#kit/events/consumer.ts";
import { appendOutbox } from "#kit/events/outbox.ts";
import { startRelay } from "#kit/events/relay.ts";
import { newId } from "#kit/id.ts";
import { startPropagation } from "#observability/propagation.ts";
import { withSpan } from "#observability/tracing.ts";
import { until } from "../../_util/until.ts";
import { recordEffect } from "./effect.ts";
import { eventRecord, openStage, type Stage } from "./stage.ts";

const exporter = new InMemorySpanExporter();
const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });

let stage: Stage;
beforeAll(() => {
  startPropagation();
  api.setGlobalTracerProvider(provider);
});
afterAll(() => {
  api.disable();
  context.disable();
});
beforeEach(async () => {
  stage = await openStage("trace");
  exporter.reset();
});
afterEach(() => stage.close());

/** Appends an event under a request's span, relays and consumes it; answers with all spans by name. */
async function oneWay(traceMode: "child" | "link"): Promise<Map<string, ReadableSpan>> {
  await startConsumer({ ...stage, topics: [stage.topic], handle: recordEffect(), traceMode });
  await withSpan("taskmesh request", {}, () =>
    stage.database.transactional((em) =>
      appendOutbox(em, {
        topic: stage.topic,
        key: "a",
        eventId: newId(),
        type: "test.v1.Happened",
        sequence: 1,
        payload: Buffer.from("words of a person"),
        occurTime: new Date(),
      }),
    ),
  );
  startRelay({ ...stage, source: "test" });
  await until("the processing", () => named().has(`process ${stage.topic}`));
  return named();
}

const named = () => new Map(exporter.getFinishedSpans().map((span) => [span.name, span]));
const idOf = (span: ReadableSpan | undefined) => span?.spanContext().spanId;
const traceOf = (span: ReadableSpan | undefined) => span?.spanContext().traceId;
const toMs = ([seconds, nanos]: [number, number]) => seconds * 1000 + nanos / 1e6;

test("[pain.01] the processing is a child of the sending and carries a link to it; both waits are spans of the trace", async () => {
  const spans = await oneWay("child");
  const request = spans.get("taskmesh request");
  const outboxWait = spans.get("outbox wait");
  const send = spans.get(`send ${stage.topic}`);
  const kafkaWait = spans.get(`wait ${stage.topic}`);
  const process = spans.get(`process ${stage.topic}`);

  for (const span of [outboxWait, send, kafkaWait, process]) expect(traceOf(span)).toBe(traceOf(request));
  expect(outboxWait?.parentSpanContext?.spanId).toBe(idOf(request));
  expect(send?.parentSpanContext?.spanId).toBe(idOf(request));
  expect(kafkaWait?.parentSpanContext?.spanId).toBe(idOf(send));
  expect(process?.parentSpanContext?.spanId).toBe(idOf(send));
  expect(process?.links.map(({ context: linked }) => linked.spanId)).toEqual([idOf(send)]);
  for (const wait of [outboxWait, kafkaWait]) {
    expect(toMs(wait?.endTime ?? [0, 0])).toBeGreaterThanOrEqual(toMs(wait?.startTime ?? [0, 1]));
  }
  expect(process?.attributes).toMatchObject({
    "messaging.consumer.group.name": stage.group,
    "taskmesh.event.outcome": "done",
  });
  expect(spans.get("INSERT effect")?.parentSpanContext?.spanId).toBe(idOf(process));
  expect(spans.get("INSERT outbox_event")?.parentSpanContext?.spanId).toBe(idOf(request));
  expect(JSON.stringify([...spans.values()].map(({ name, attributes }) => ({ name, attributes })))).not.toContain(
    "person",
  );
});

test("in the mode link the processing is a trace of its own that links to the sending", async () => {
  const spans = await oneWay("link");
  const send = spans.get(`send ${stage.topic}`);
  const process = spans.get(`process ${stage.topic}`);
  expect(traceOf(process)).not.toBe(traceOf(send));
  expect(process?.parentSpanContext).toBeUndefined();
  expect(process?.links.map(({ context: linked }) => linked.spanId)).toEqual([idOf(send)]);
});

test("what is received together has a span that links to each and is in none of their traces", async () => {
  const batch = Array.from({ length: 3 }, (_, n) => {
    const traceparent = `00-${String(n + 1).repeat(32)}-${String(n + 1).repeat(16)}-01`;
    return eventRecord(stage.topic, "a", n + 1, { traceparent });
  });
  await stage.producer.send(batch);
  await startConsumer({ ...stage, topics: [stage.topic], handle: recordEffect() });
  const receive = await until("the receiving", () => named().get(`receive ${stage.topic}`));
  expect(receive.parentSpanContext).toBeUndefined();
  expect(receive.links.map(({ context: linked }) => linked.traceId[0])).toEqual(["1", "2", "3"]);
});
