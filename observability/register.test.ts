import { execFile } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startCollector, type TestCollector } from "./testing.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../", import.meta.url));
const traceId = "0af7651916cd43dd8448eb211c80319c";
const remoteSpanId = "b7ad6b7169203331";

async function boot(environment: Record<string, string>, traceparent = `00-${traceId}-${remoteSpanId}-01`) {
  const args = ["--import", "./observability/register.ts", "observability/testdata/traced-process.ts", traceparent];
  const { stdout, stderr } = await run(process.execPath, args, { cwd: root, env: { PATH: "", ...environment } });
  const all = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, string>);
  const lines = all.filter(({ message }) => message !== undefined);
  return { lines, stderr, metrics: all.find(({ metrics }) => metrics !== undefined)?.metrics };
}

describe("a process that is started with register.ts", () => {
  let collector: TestCollector;
  beforeEach(async () => {
    collector = await startCollector();
  });
  afterEach(() => collector.stop());

  const tracing = () => ({
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
    SERVICE_NAME: "task",
    SERVICE_INSTANCE_ID: "task-7",
  });
  const span = (name: string) => {
    const found = collector.spans.filter((candidate) => candidate.name === name);
    expect(found, name).toHaveLength(1);
    return found[0]!;
  };

  test("sends every span before it ends, whole and joined", async () => {
    await boot(tracing());
    expect(collector.spans).toHaveLength(5);
    const server = span("task.v1.TaskService/CreateTask");
    const database = span("INSERT task");
    const wait = span("wait task.events.v1");
    const consumer = span("process task.events.v1");
    expect(server).toMatchObject({ traceId, parentSpanId: remoteSpanId, kind: 2, status: 0 });
    expect(database).toMatchObject({ traceId, parentSpanId: server.spanId, kind: 3 });
    expect(wait).toMatchObject({
      traceId,
      parentSpanId: database.spanId,
      attributes: { "taskmesh.event.attempt": "1" },
    });
    expect(wait.endTime - wait.startTime).toBeGreaterThanOrEqual(49_000_000n);
    expect(consumer).toMatchObject({ traceId, parentSpanId: wait.spanId, kind: 5 });
    expect(consumer.links).toEqual([{ traceId, spanId: database.spanId }]);
  });

  test("says who it is on each span", async () => {
    await boot(tracing());
    for (const { resource } of collector.spans) {
      expect(resource).toMatchObject({ "service.name": "task", "service.instance.id": "task-7" });
      expect(resource["service.version"]).toMatch(/^\d+\.\d+\.\d+/);
    }
  });

  test("marks a failed span by the type of the error and keeps its message out", async () => {
    await boot(tracing());
    expect(span("taskmesh failing")).toMatchObject({ status: 2, attributes: { "error.type": "TypeError" } });
    expect(collector.text()).not.toContain("canary");
  });

  test("writes the ids of the trace on log lines", async () => {
    const { lines } = await boot(tracing());
    expect(lines[0]).toMatchObject({
      message: "inside",
      trace_id: traceId,
      span_id: span("task.v1.TaskService/CreateTask").spanId,
      "service.instance.id": "task-7",
    });
  });

  test("follows the decision of the hop before it, whatever its own ratio", async () => {
    await boot({ ...tracing(), OTEL_TRACES_SAMPLER_ARG: "0" });
    expect(collector.spans.map(({ traceId: id }) => id)).toEqual(Array(4).fill(traceId));
    collector.spans.length = 0;
    await boot(tracing(), `00-${traceId}-${remoteSpanId}-00`);
    expect(collector.spans.map(({ name }) => name)).toEqual(["taskmesh failing"]);
  });

  test("serves metrics without a collector, and hands on the trace that it was given", async () => {
    const { lines, metrics } = await boot({ ADMIN_PORT: "1" });
    expect(lines[0]).toMatchObject({ message: "inside", trace_id: traceId, span_id: remoteSpanId });
    expect(metrics).toContain("taskmesh_task_created_total 1");
    expect(metrics).toMatch(/^nodejs_eventloop_delay_p99 \d/m);
    expect(metrics).toMatch(/^v8js_memory_heap_used \d/m);
    expect(collector.spans).toEqual([]);
  });

  test("reports how many spans it can hold", async () => {
    const { metrics } = await boot({ ...tracing(), ADMIN_PORT: "1" });
    expect(metrics).toMatch(/otel_sdk_processor_span_queue_capacity\{.*\} 16384/);
  });

  test("loses no more than spans when the collector is away: one line says so", async () => {
    await collector.stop();
    const { lines, stderr } = await boot(tracing());
    collector = await startCollector();
    expect(stderr).toBe("");
    const complaints = lines.filter(({ logger }) => logger === "telemetry");
    expect(complaints).toHaveLength(1);
    expect(complaints[0]).toMatchObject({ level: "warn", message: "spans are not reaching the collector" });
  });

  test("ends though the collector takes its spans and never answers", async () => {
    const mute = createServer().listen(0, "127.0.0.1");
    await once(mute, "listening");
    const { port } = mute.address() as AddressInfo;
    const ended = boot({ ...tracing(), OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` });
    await expect(ended).resolves.toMatchObject({ stderr: "" });
    mute.close();
  });

  test("does not start with a setting that is wrong, and names all of them", async () => {
    const failed = boot({ OTEL_TRACES_SAMPLER_ARG: "2", LOG_LEVEL: "loud" });
    await expect(failed).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^LOG_LEVEL is wrong: .*\nOTEL_TRACES_SAMPLER_ARG is wrong: .*\n$/),
    });
  });
});
