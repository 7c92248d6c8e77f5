import { afterAll, beforeAll, expect, it } from "vitest";
import { newId } from "#kit/id.ts";
import { shutdownTelemetry, startTelemetry } from "#observability/telemetry.ts";
import { type ReceivedSpan, startCollector, type TestCollector } from "#observability/testing.ts";
import { withSpan } from "#observability/tracing.ts";
import { startPushService } from "../../_util/push-service.ts";
import { until } from "../../_util/until.ts";
import { smtpError } from "./mailbox.ts";
import { assigned, subscribe } from "./push-stage.ts";
import { openStack, type Stack, taskEvent } from "./stack.ts";

let collector: TestCollector;
let stack: Stack;

beforeAll(async () => {
  collector = await startCollector();
  await startTelemetry({
    resource: { name: "test", instanceId: "test-1" },
    logLevel: "silent",
    metrics: false,
    traces: { endpoint: collector.endpoint, sampleRatio: 1 },
  });
  stack = await openStack("trace");
  await Promise.all([stack.start("notification"), stack.start("email", { retryDelaysMs: [100, 100, 100, 100] })]);
});

afterAll(async () => {
  await stack?.close();
  await shutdownTelemetry();
  await collector?.stop();
});

/** The names of the spans from this one up to the first of its trace. */
function wayUp(span: ReceivedSpan, spans: ReceivedSpan[]): string[] {
  const parent = spans.find(({ spanId }) => spanId === span.parentSpanId);
  return parent === undefined ? [span.name] : [span.name, ...wayUp(parent, spans)];
}

it("is one trace from the change to the mail server, a retry included, and says nothing of anybody", async () => {
  const canary = `canary${newId().replaceAll("-", "")}`;
  const ben = stack.peers.addPerson({ email: `${canary}@example.org`, displayName: canary });
  let refusals = 0;
  stack.mailbox.onMail = () => {
    if (refusals++ < 1) throw smtpError(451);
  };
  const clicked = await withSpan("taskmesh click", {}, async (span) => {
    await stack.publish([
      taskEvent(stack.topics.events, {
        title: canary,
        memberIds: [ben.userId],
        fact: { case: "commentAdded", value: { commentId: newId(), excerpt: canary } },
      }),
    ]);
    return span.spanContext();
  });

  const received = await until("the mail", () => stack.mailbox.mails[0]);
  const header = received.mail.headers.find(({ key }) => key === "x-trace-id");
  expect(header?.value).toBe(clicked.traceId);
  const rows = await stack.database.query(
    "SELECT n.trace_id AS entry, d.trace_id AS delivery FROM notification n JOIN delivery d USING (notification_id)",
  );
  expect(rows).toEqual([{ entry: clicked.traceId, delivery: clicked.traceId }]);

  const spans = await collector.waitFor((all) => all.filter(({ name }) => name === "send mail").length === 2);
  const mails = spans.filter(({ name }) => name === "send mail");
  expect(mails.map(({ traceId, kind }) => ({ traceId, kind }))).toEqual(
    mails.map(() => ({ traceId: clicked.traceId, kind: 3 })),
  );
  expect(mails.map(({ status }) => status).sort()).toEqual([0, 2]);
  expect(mails[0]?.attributes).toMatchObject({
    "server.address": "127.0.0.1",
    "server.port": new URL(stack.mailbox.url).port,
  });
  await collector.waitFor((all) => mails.every((mail) => wayUp(mail, all).at(-1) === "taskmesh click"));
  for (const mail of mails) {
    const way = wayUp(mail, spans);
    expect(way).toContain(`process ${stack.topics.deliveries}`);
    expect(way).toContain(`process ${stack.topics.events}`);
  }
  expect(collector.text()).not.toContain(canary);
});

it("goes on to the push service, and says nothing of the browser", async () => {
  const service = await startPushService();
  await stack.start("push", { retryDelaysMs: [100, 100, 100, 100] });
  const ben = stack.peers.addPerson();
  const browser = await subscribe({ service, stack }, ben.userId);
  browser.answer = () => (browser.requests === 1 ? { status: 503 } : undefined);
  const clicked = await withSpan("taskmesh click", {}, async (span) => {
    await stack.publish([assigned(stack, ben.userId, "Buy milk")]);
    return span.spanContext();
  });
  await until("the message", () => browser.messages.length === 1);
  const sends = (all: ReceivedSpan[]) => all.filter(({ name }) => name === "send push");
  const spans = await collector.waitFor((all) => sends(all).length === 2);
  expect(sends(spans).map(({ traceId, attributes }) => [traceId, attributes["taskmesh.outcome"]])).toEqual([
    [clicked.traceId, "push_503"],
    [clicked.traceId, "taken"],
  ]);
  await collector.waitFor((all) => sends(all).every((push) => wayUp(push, all).at(-1) === "taskmesh click"));
  const { endpoint, keys } = browser.subscription;
  for (const secret of [endpoint, new URL(endpoint).host, keys.auth, keys.p256dh]) {
    expect(collector.text()).not.toContain(secret);
  }
  await service.close();
});
