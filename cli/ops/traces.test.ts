import { expect, test } from "vitest";
import type { JaegerSpan, JaegerTrace } from "../trace/jaeger.ts";
import { waterfallOf } from "./traces.ts";

function span(spanID: string, parent: string | undefined, operationName: string, startTime: number): JaegerSpan {
  const references = parent === undefined ? [] : [{ refType: "CHILD_OF", traceID: "t", spanID: parent }];
  return { traceID: "t", spanID, operationName, startTime, duration: 10, processID: "p", references, tags: [] };
}

function trace(spans: JaegerSpan[]): JaegerTrace {
  return { traceID: "t", spans, processes: { p: { serviceName: "task" } } };
}

test("a waterfall has each span under its caller, in the order of time, and tells waits from work", () => {
  const spans = [
    span("c", "b", "wait task.events.v1", 130),
    span("a", undefined, "POST /v1/tasks", 100),
    span("d", "a", "waitress", 140),
    span("b", "a", "outbox wait", 110),
  ];
  const { begin, duration, spans: rows } = waterfallOf(trace(spans));
  expect([begin, duration]).toEqual([100, 50]);
  expect(rows.map(({ spanId, depth, offset, wait }) => [spanId, depth, offset, wait])).toEqual([
    ["a", 0, 0, false],
    ["b", 1, 10, true],
    ["c", 2, 30, true],
    ["d", 1, 40, false],
  ]);
});

test("attributes and events are texts, by name", () => {
  const one = span("a", undefined, "x", 100);
  one.tags = [
    { key: "b", value: 2 },
    { key: "a", value: "<b>" },
    { key: "c", value: ["x"] },
  ];
  const logged = { ...one, logs: [{ timestamp: 105, fields: [{ key: "event", value: "retry" }] }] };
  expect(waterfallOf(trace([logged])).spans[0]).toMatchObject({
    attributes: [
      ["a", "<b>"],
      ["b", "2"],
      ["c", '["x"]'],
    ],
    events: [{ offset: 5, attributes: [["event", "retry"]] }],
  });
});

test("a trace of a thousand spans, each the callee of the one before, is no matter", () => {
  const spans = Array.from({ length: 1000 }, (_, index) =>
    span(`s${index}`, index === 0 ? undefined : `s${index - 1}`, "x", index),
  );
  const rows = waterfallOf(trace(spans)).spans;
  expect(rows).toHaveLength(1000);
  expect(rows.at(-1)).toMatchObject({ spanId: "s999", depth: 999 });
});
