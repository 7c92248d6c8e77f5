import { context, type SpanContext, TraceFlags, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { formatFor, renderFamilies } from "./exposition.ts";
import { counter, gauge, histogram, observe, setMeter, upDownCounter } from "./metrics.ts";
import { PrometheusMeter } from "./prometheus-meter.ts";

const duration = histogram("rpc.server.call.duration");
const refusals = counter("taskmesh.limits.refusals");
const created = counter("taskmesh.task.created");
const active = upDownCounter("http.server.active_requests");
const lag = gauge("taskmesh.outbox.lag");

let meter: PrometheusMeter;
beforeAll(() => context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()));
afterAll(() => context.disable());
beforeEach(() => {
  meter = new PrometheusMeter({ "service.name": "task", "service.instance.id": "task-1" });
  setMeter(meter);
});

const linesOf = (name: string, format: "openmetrics" | "text" = "openmetrics") =>
  meter
    .render(format)
    .split("\n")
    .filter((line) => line.startsWith(name));

function inside(traceFlags: TraceFlags, fn: () => void): SpanContext {
  const span = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", traceFlags };
  context.with(trace.setSpanContext(context.active(), span), fn);
  return span;
}

describe("a meter", () => {
  test("counts a distribution into buckets that add up", () => {
    for (const seconds of [0.001, 0.002, 0.3, 60]) {
      duration.record(seconds, { "rpc.method": "a.v1.A/B", "rpc.response.status_code": "OK" });
    }
    const labels = 'rpc_method="a.v1.A/B",rpc_response_status_code="OK"';
    expect(linesOf("rpc_server_call_duration")).toEqual(
      expect.arrayContaining([
        `rpc_server_call_duration_bucket{${labels},le="0.001"} 1`,
        `rpc_server_call_duration_bucket{${labels},le="0.0025"} 2`,
        `rpc_server_call_duration_bucket{${labels},le="0.5"} 3`,
        `rpc_server_call_duration_bucket{${labels},le="10"} 3`,
        `rpc_server_call_duration_bucket{${labels},le="+Inf"} 4`,
        `rpc_server_call_duration_count{${labels}} 4`,
        `rpc_server_call_duration_sum{${labels}} 60.303`,
      ]),
    );
  });

  test("keeps the span of the latest measurement of a bucket, when that span is kept", () => {
    inside(TraceFlags.SAMPLED, () => duration.record(0.004));
    inside(TraceFlags.NONE, () => duration.record(0.3));
    duration.record(0.7);
    const withExemplar = linesOf("rpc_server_call_duration_bucket").filter((line) => line.includes(" # "));
    expect(withExemplar).toEqual([
      expect.stringMatching(
        /^rpc_server_call_duration_bucket\{le="0.005"\} 1 # \{trace_id="0af7651916cd43dd8448eb211c80319c",span_id="b7ad6b7169203331"\} 0\.004 \d+\.?\d*$/,
      ),
    ]);
    expect(meter.render("text")).not.toContain(" # {");
  });

  test("shows what has no labels from the start, and the rest once it is measured", () => {
    expect(linesOf("taskmesh_task_created")).toEqual(["taskmesh_task_created_total 0"]);
    expect(linesOf("taskmesh_limits_refusals")).toEqual([]);
    expect(linesOf("taskmesh_outbox_lag")).toEqual([]);
    created.add(2);
    refusals.add(1, { "taskmesh.limits.name": "general" });
    active.add(3);
    active.add(-1);
    lag.record(5);
    lag.record(4);
    expect(linesOf("taskmesh_task_created")).toEqual(["taskmesh_task_created_total 2"]);
    expect(linesOf("taskmesh_limits_refusals")).toEqual([
      'taskmesh_limits_refusals_total{taskmesh_limits_name="general"} 1',
    ]);
    expect(linesOf("http_server_active_requests")).toEqual(["http_server_active_requests 2"]);
    expect(linesOf("taskmesh_outbox_lag")).toEqual(["taskmesh_outbox_lag 4"]);
  });

  test("asks for what is observed, adds up what several say, and forgets what is not told any more", () => {
    const name = "taskmesh.consumer.lag";
    const labels = (partition: number) => ({
      "messaging.consumer.group.name": "email",
      "messaging.destination.name": "a.v1",
      "messaging.destination.partition.id": partition,
    });
    const partitions = new Set([1, 2]);
    const ends = [
      observe(name, (record) => {
        for (const partition of partitions) record(10, labels(partition));
      }),
      observe(name, (record) => record(5, labels(2))),
    ];
    expect(linesOf("taskmesh_consumer_lag").map((line) => line.split("} ")[1])).toEqual(["10", "15"]);
    partitions.delete(1);
    expect(linesOf("taskmesh_consumer_lag")).toEqual([expect.stringContaining('partition_id="2"} 15')]);
    for (const end of ends) end();
    expect(linesOf("taskmesh_consumer_lag")).toEqual([]);
  });

  test("says who it is, and goes nowhere when there is none", () => {
    expect(linesOf("target_info")).toEqual(['target_info{service_name="task",service_instance_id="task-1"} 1']);
    setMeter(undefined);
    created.add(1);
    expect(linesOf("taskmesh_task_created")).toEqual(["taskmesh_task_created_total 0"]);
  });
});

describe("a page", () => {
  test("is OpenMetrics for those who ask for it", () => {
    const prometheus = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    expect(formatFor(prometheus)).toBe("openmetrics");
    for (const accept of [undefined, "*/*", "text/plain", "application/openmetrics-text;q=0, text/plain"]) {
      expect(formatFor(accept)).toBe("text");
    }
  });

  test("names the family of a counter as its format has it, and ends as it has to", () => {
    created.add(1);
    const open = meter.render("openmetrics");
    expect(open).toContain("# TYPE taskmesh_task_created counter\ntaskmesh_task_created_total 1\n");
    expect(open.endsWith("# EOF\n")).toBe(true);
    const text = meter.render("text");
    expect(text).toContain("# TYPE taskmesh_task_created_total counter\ntaskmesh_task_created_total 1\n");
    expect(text).not.toContain("# EOF");
  });

  test.each([
    ["openmetrics", '# HELP a of \\"b\\"'],
    ["text", '# HELP a of "b"'],
  ] as const)("escapes quotes in a description where the format %s wants it", (format, line) => {
    const page = renderFamilies([{ name: "a", type: "gauge", help: 'of "b"', samples: [] }], format);
    expect(page.split("\n")[0]).toBe(line);
  });

  test("escapes what would end a label", () => {
    const samples = [{ labels: { path: 'a"b\\c\nd' }, value: Number.POSITIVE_INFINITY }];
    expect(renderFamilies([{ name: "a", type: "gauge", help: "b", samples }], "text")).toContain(
      'a{path="a\\"b\\\\c\\nd"} +Inf',
    );
  });
});
