import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { NotificationType } from "#gen/notification/v1/notification_pb.js";
import type { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import { Webhook_State, WebhookDelivery_State, WebhookSchema } from "#gen/notification/v1/webhook_pb.js";
import type { Consumer } from "#kit/events/consumer.ts";
import { MeshChannel } from "#kit/grpc/client.ts";
import type { ServiceImpl } from "#kit/grpc/service.ts";
import { createContext } from "../../../services/notification/context.ts";
import { rpc } from "../../../services/notification/rpc/index.ts";
import { newPushKeyFile } from "../../_util/push-keys.ts";
import { until } from "../../_util/until.ts";
import { from, settings } from "./settings.ts";
import { type Sink, signatureOf, startSink } from "./sink.ts";
import { groupName, openStack, type Stack, taskEvent } from "./stack.ts";

let stack: Stack;
let api: ServiceImpl<typeof NotificationService>;
let sink: Sink;
let running: Consumer | undefined;
let ben: { userId: string };
const children: ChildProcess[] = [];

const retryDelaysMs = [100, 200, 300, 400];

beforeAll(async () => {
  stack = await openStack("webhooks");
  const { database, producer, context, lifecycle } = stack;
  const config = {
    watch: { heartbeatMs: 60_000, limits: { total: 1, perPerson: 1 } },
    push: { keyFile: newPushKeyFile() },
    outbound: settings("").outbound,
    webhook: { keySecret: stack.webhookSecret },
    alertPace: { everySeconds: 60, repeats: 0 },
  };
  const parts = {
    database,
    producer,
    redis: context.redis,
    lifecycle,
    channel: new MeshChannel(stack.peers.address),
    identity: await stack.peers.identity("notification"),
  };
  api = rpc({ ...createContext(config, parts), deliveryTopic: stack.topics.deliveries });
  await stack.start("notification");
});
afterAll(() => stack.close());

beforeEach(async () => {
  sink = await startSink();
  ben = stack.peers.addPerson();
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await sink.close();
});

const call = () => ({ userId: ben.userId, signal: AbortSignal.timeout(20_000), header: () => undefined }) as never;

async function ask<K extends keyof typeof api>(name: K, request: object) {
  const answer = await (api[name] as (request: unknown, call: never) => Promise<unknown>)(request, call());
  return answer as Record<string, never>;
}

async function createWebhook(changes: MessageInitShape<typeof WebhookSchema> = {}) {
  const webhook = create(WebhookSchema, { url: sink.url, displayName: "mine", ...changes });
  const { webhook: made, secret } = (await ask("createWebhook", { webhook })) as unknown as {
    webhook: { webhookId: string };
    secret: string;
  };
  return { webhookId: made.webhookId, secret };
}

const stateOf = async (webhookId: string) =>
  (await ask("getWebhook", { webhookId })).webhook as unknown as { state: Webhook_State; failureCount: number };

interface Delivery {
  webhookDeliveryId: string;
  state: WebhookDelivery_State;
  attemptCount: number;
  failure: string;
}

/** The oldest first. */
async function deliveriesOf(webhookId: string): Promise<Delivery[]> {
  const answer = await ask("listWebhookDeliveries", { webhookId, pageSize: 0, pageToken: "" });
  return (answer.webhookDeliveries as unknown as Delivery[]).toReversed();
}

/** Ben hears of so many tasks. */
const hear = (count: number) =>
  stack.publish(
    Array.from({ length: count }, (_, at) =>
      taskEvent(stack.topics.events, {
        title: `task ${at}`,
        memberIds: [ben.userId],
        fact: { case: "taskCreated", value: { assigneeIds: [ben.userId] } },
      }),
    ),
  );

const inbox = () =>
  stack.database.query<{ notification_id: string; kind: string; title: string }>(
    "SELECT notification_id, kind, title FROM notification WHERE recipient_id = $1 ORDER BY position",
    [ben.userId],
    { name: "test-inbox" },
  );

const ended = (webhookId: string, count: number) =>
  until(`${count} deliveries at their end`, async () => {
    const deliveries = await deliveriesOf(webhookId);
    const over = deliveries.filter(({ state }) => state >= WebhookDelivery_State.SENT);
    return over.length === count && deliveries.length === count;
  });

describe("a webhook", () => {
  beforeAll(async () => {
    running = await stack.start("webhook", { retryDelaysMs });
  });

  it("is told of each notification once, signed, in the order of the inbox", async () => {
    const { webhookId, secret } = await createWebhook();
    const other = await createWebhook({ types: [NotificationType.TASK_COMPLETED] });
    const off = await createWebhook({ state: Webhook_State.DISABLED });
    await hear(20);
    await ended(webhookId, 20);
    const told = sink.received.map(({ json }) => json.data.notificationId);
    expect(told).toEqual((await inbox()).map(({ notification_id }) => notification_id));
    const ids = (await deliveriesOf(webhookId)).map(({ webhookDeliveryId }) => webhookDeliveryId);
    expect(sink.received.map(({ id }) => id)).toEqual(ids);
    for (const message of sink.received) {
      expect(message.signatures).toEqual([signatureOf(message, secret)]);
      expect(Math.abs(Date.now() / 1000 - message.timestamp)).toBeLessThan(300);
      expect(message.json).toMatchObject({ type: "notification.task_assigned", data: { type: expect.any(String) } });
    }
    expect([await deliveriesOf(other.webhookId), await deliveriesOf(off.webhookId)]).toEqual([[], []]);
  });

  it("gets a message again, as the same one, until it takes it; what comes later waits behind it", async () => {
    const { webhookId } = await createWebhook();
    const answers = [503, 500, 204];
    sink.answer = () => answers.shift() ?? 204;
    await hear(2);
    await ended(webhookId, 2);
    const [first, second] = await deliveriesOf(webhookId);
    expect(sink.received.map(({ id }) => id)).toEqual([
      ...Array(3).fill(first?.webhookDeliveryId),
      second?.webhookDeliveryId,
    ]);
    expect(first).toMatchObject({ state: WebhookDelivery_State.SENT, attemptCount: 3, failure: "" });
    expect(await stateOf(webhookId)).toMatchObject({ state: Webhook_State.ENABLED, failureCount: 0 });
  });

  it("that does not take its messages holds back no other of the same person", async () => {
    const silent = await startSink();
    const gate = Promise.withResolvers<number>();
    try {
      silent.answer = () => gate.promise;
      const stuck = await createWebhook({ url: silent.url });
      const well = await createWebhook();
      await hear(3);
      await until("the other to have all", async () => {
        const deliveries = await deliveriesOf(well.webhookId);
        return deliveries.length === 3 && deliveries.every(({ state }) => state === WebhookDelivery_State.SENT);
      });
      const waiting = (await deliveriesOf(stuck.webhookId)).filter(({ state }) => state < WebhookDelivery_State.SENT);
      expect(waiting).toHaveLength(3);
      gate.resolve(204);
      await ended(stuck.webhookId, 3);
    } finally {
      gate.resolve(204);
      await silent.close();
    }
  });

  it("is signed with both secrets for a while after a rotation", async () => {
    const { webhookId, secret } = await createWebhook();
    const { secret: newer } = (await ask("rotateWebhookSecret", { webhookId })) as unknown as { secret: string };
    await ask("testWebhook", { webhookId });
    await ended(webhookId, 1);
    const [message] = sink.received;
    if (message === undefined) throw new Error("no message");
    expect(message.json).toMatchObject({ type: "test", data: {} });
    expect(message.signatures).toEqual([signatureOf(message, newer), signatureOf(message, secret)]);
  });

  it("is disabled at once when it says that it is gone, and its owner hears of it once", async () => {
    const { webhookId } = await createWebhook({ displayName: "old one" });
    sink.answer = () => 410;
    await hear(3);
    await ended(webhookId, 3);
    expect((await stateOf(webhookId)).state).toBe(Webhook_State.GONE);
    expect(sink.received.length).toBe(1);
    expect((await deliveriesOf(webhookId)).map(({ failure }) => failure)).toEqual([
      "http_410",
      "webhook_disabled",
      "webhook_disabled",
    ]);
    const notices = (await inbox()).filter(({ kind }) => kind === "webhook_disabled");
    expect(notices.map(({ title }) => title)).toEqual(["Your webhook “old one” was disabled"]);
  });

  it("is not called where it must not lead, and there is no second try", async () => {
    // A name, so that only its address tells.
    const { webhookId } = await createWebhook({ url: "http://ip6-localhost:1024/" });
    await ask("testWebhook", { webhookId });
    await ended(webhookId, 1);
    const [delivery] = await deliveriesOf(webhookId);
    expect(delivery).toMatchObject({ state: WebhookDelivery_State.FAILED, attemptCount: 1 });
    expect(delivery?.failure).toMatch(/^(address_forbidden|name_unknown)$/);
  });
});

describe("a webhook that fails", () => {
  beforeAll(async () => {
    await running?.stop();
    const context = { webhookPatience: { failures: 4, seconds: 0 } };
    running = await stack.start("webhook", { retryDelaysMs, context });
  });

  it("is disabled, and gets all that it missed when its owner asks for that", async () => {
    const { webhookId } = await createWebhook();
    await hear(1);
    await ended(webhookId, 1);
    sink.answer = () => 500;
    await hear(5);
    await ended(webhookId, 6);
    expect(await stateOf(webhookId)).toMatchObject({ state: Webhook_State.FAILING, failureCount: 4 });
    expect(sink.received.length).toBe(1 + 4);
    const before = await deliveriesOf(webhookId);
    expect(before.map(({ failure }) => failure)).toEqual(["", "http_500", ...Array(4).fill("webhook_disabled")]);
    expect((await inbox()).filter(({ kind }) => kind === "webhook_disabled").length).toBe(1);

    const handled = before[0]?.webhookDeliveryId;
    const which = { case: "afterWebhookDeliveryId", value: handled };
    await expect(ask("replayWebhookDeliveries", { webhookId, which })).rejects.toThrow("enable the webhook");
    sink.answer = () => 204;
    const webhook = create(WebhookSchema, { webhookId, state: Webhook_State.ENABLED });
    await ask("updateWebhook", { webhook, updateMask: { paths: ["state"] } });
    const earlier = sink.received.length;
    expect(await ask("replayWebhookDeliveries", { webhookId, which })).toMatchObject({ replayedCount: 5 });
    // The notice of its end came while it was disabled, so that it is none of its deliveries.
    await ended(webhookId, 6);
    await until("the missed ones", async () => sink.received.length === earlier + 5);
    expect(sink.received.slice(earlier).map(({ id }) => id)).toEqual(
      before.slice(1).map(({ webhookDeliveryId }) => webhookDeliveryId),
    );
    const one = { case: "webhookDeliveryId", value: handled };
    expect(await ask("replayWebhookDeliveries", { webhookId, which: one })).toMatchObject({ replayedCount: 1 });
    await until("the first one again", async () => sink.received.at(-1)?.id === handled);
  });
});

describe("a process that dies between sending and recording", () => {
  it("leaves a message that is sent again with the same webhook-id", async () => {
    await running?.stop();
    const { webhookId } = await createWebhook();
    const blocker = new pg.Client({ connectionString: stack.databaseUrl });
    await blocker.connect();
    const first = await startProcess();
    // Nobody can record the end of a delivery while the test holds its row.
    sink.answer = async () => {
      await blocker.query("BEGIN");
      await blocker.query("SELECT 1 FROM delivery WHERE webhook_id = $1 FOR UPDATE", [webhookId]);
      return 204;
    };
    await hear(1);
    await until("the first copy", () => sink.received.length === 1);
    first.kill("SIGKILL");
    await once(first, "exit");
    sink.answer = () => 204;
    await blocker.query("ROLLBACK");
    // The claim of the process that is gone need not be waited for.
    await blocker.query("UPDATE delivery SET claim_expire_time = now() WHERE webhook_id = $1", [webhookId]);
    await blocker.end();
    await startProcess();
    await ended(webhookId, 1);
    const [delivery] = await deliveriesOf(webhookId);
    expect(sink.received.map(({ id }) => id)).toEqual(Array(2).fill(delivery?.webhookDeliveryId));
    expect(delivery).toMatchObject({ state: WebhookDelivery_State.SENT, attemptCount: 2 });
  });
});

async function startProcess(): Promise<ChildProcess> {
  const options = {
    name: "webhook",
    url: stack.databaseUrl,
    broker: stack.brokers[0],
    group: groupName(stack.id, "webhook"),
    topic: stack.topics.deliveries,
    mesh: stack.peers.address,
    ...stack.peers.identityFiles("consumers"),
    smtpUrl: stack.mailbox.url,
    redisUrl: inject("redis"),
    fromAddress: from.address,
    webhookSecret: stack.webhookSecret.toString("base64"),
  };
  const args = ["tests/integration/notification/group-process.ts", JSON.stringify(options)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  await once(child.stdout, "data");
  return child;
}
