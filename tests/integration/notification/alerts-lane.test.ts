import { create, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { DeliveryEventSchema } from "#gen/notification/v1/delivery_events_pb.js";
import { Channel } from "#gen/notification/v1/notification_pb.js";
import { execute } from "#kit/db/database.ts";
import { openProducer } from "#kit/events/producer.ts";
import { newId } from "#kit/id.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import { until } from "../../_util/until.ts";
import { type AlertStage, openAlertStage } from "./alert-stage.ts";
import { record } from "./stack.ts";
import type { Instance } from "./watch-stage.ts";

const bulk = 2_000;
const lifecycle = new Lifecycle();
let stage: AlertStage;
let service: Instance;
let topic: string;
beforeAll(async () => {
  stage = await openAlertStage("alerts-lane");
  topic = `${stage.id}.deliveries.v1`;
  service = await stage.start();
  await stage.join("urgent");
});
afterAll(async () => {
  await stage?.close();
  await lifecycle.stop();
});

/** Asks for many mails to one person. */
async function queueBulk(recipientId: string): Promise<void> {
  const ids = Array.from({ length: bulk }, newId);
  await stage.database.query(
    `WITH entry AS (
       INSERT INTO notification (notification_id, recipient_id, source_event_id, position, kind, title, body, create_time, trace_id)
       SELECT id, $2, id, place, 'task_shared', 'Bulk', '', now(), '' FROM unnest($1::uuid[]) WITH ORDINALITY AS n (id, place)
       RETURNING notification_id)
     INSERT INTO delivery (delivery_id, notification_id, channel, state, attempts, create_time, update_time, trace_id)
     SELECT notification_id, notification_id, 'email', 'queued', 0, now(), now(), '' FROM entry`,
    [ids, recipientId],
  );
  const producer = openProducer({
    brokers: [inject("kafka")],
    clientId: stage.id,
    lifecycle,
    topics: [topic],
    partitions: 3,
  });
  const records = ids.map((deliveryId) => {
    const eventId = newId();
    const value = { deliveryId, channel: Channel.EMAIL, notification: { title: "Bulk" } };
    const event = create(DeliveryEventSchema, { eventId, recipientId, fact: { case: "deliveryRequested", value } });
    return record({ topic, key: eventId, source: "notification", eventId }, toBinary(DeliveryEventSchema, event));
  });
  for (let start = 0; start < bulk; start += 1000) await producer.send(records.slice(start, start + 1000));
}

/** Raises an alert, and answers when it is in the recipient's inbox and mailbox. */
async function alertArrives(): Promise<void> {
  const ben = stage.peers.addPerson();
  await service.client.raiseAlert({ message: "Fire", recipientIds: [ben.userId] }, stage.as(ben.userId));
  await stage.mailsTo(ben.email, 1);
  const { notifications } = await service.client.listNotifications({}, stage.as(ben.userId));
  expect(notifications).toHaveLength(1);
}

it("an alert is there while 2,000 other mails wait, and the mail server takes none of them [004.02]", async () => {
  const reader = stage.peers.addPerson();
  await queueBulk(reader.userId);
  const held: (() => void)[] = [];
  let isHolding = true;
  stage.mailbox.onMail = ({ recipients }) =>
    isHolding && recipients.includes(reader.email) ? new Promise<void>((resolve) => held.push(resolve)) : undefined;
  await stage.join("email", { topics: [topic] });
  await until("the bulk's connections to be busy", () => held.length >= 3);
  await alertArrives();
  expect(stage.mailbox.to(reader.email)).toEqual([]);
  const [waiting] = await stage.database.query<{ count: number }>(
    "SELECT count(*)::int AS count FROM delivery JOIN notification USING (notification_id) WHERE recipient_id = $1 AND state <> 'sent'",
    [reader.userId],
  );
  expect(waiting?.count).toBe(bulk);
  isHolding = false;
  for (const release of held) release();
});

it("an alert needs no connection of the pool that the other groups share", async () => {
  const all = Promise.withResolvers<void>();
  // As many as the pool has.
  const transactions = Array.from({ length: 10 }, () => {
    const holds = Promise.withResolvers<void>();
    const over = stage.database.transactional(async (em) => {
      await execute(em, { text: "SELECT 1" });
      holds.resolve();
      await all.promise;
    });
    return { holds: holds.promise, over: over.catch(() => {}) };
  });
  await Promise.all(transactions.map(({ holds }) => holds));
  await alertArrives();
  all.resolve();
  await Promise.all(transactions.map(({ over }) => over));
});
