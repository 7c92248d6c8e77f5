import { logger } from "../logger.ts";
import { counter } from "../metrics.ts";
import { renderMetrics, shutdownTelemetry } from "../telemetry.ts";
import { extractContext, injectContext, linksTo, recordedSpan, SpanKind, withSpan } from "../tracing.ts";

/** What the boot test runs under register.ts: a request with a child, a wait of the past, an event and a failure. */
const incoming = extractContext({ traceparent: process.argv[2] ?? "" });
const log = logger("traced");

await withSpan("task.v1.TaskService/CreateTask", { kind: SpanKind.SERVER, parent: incoming }, async () => {
  counter("taskmesh.task.created").add(1);
  log.info("inside");
  const carrier = await withSpan("INSERT task", { kind: SpanKind.CLIENT }, () => injectContext({}));
  const sent = extractContext(carrier);
  const waited = recordedSpan("wait task.events.v1", Date.now() - 50, Date.now(), sent, {
    "taskmesh.event.attempt": 1,
  });
  await withSpan("process task.events.v1", { kind: SpanKind.CONSUMER, parent: waited, links: linksTo(sent) }, () => {});
});
await withSpan("taskmesh failing", {}, () => {
  throw new TypeError("canary-of-a-payload");
}).catch(() => {});

const metrics = await renderMetrics();
await shutdownTelemetry();
process.stdout.write(`${JSON.stringify({ metrics })}\n`);
