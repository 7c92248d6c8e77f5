import { setTimeout as delay } from "node:timers/promises";
import { fromBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, it } from "vitest";
import { DeliveryEventSchema } from "#gen/notification/v1/delivery_events_pb.js";
import { type ConsumerMiddleware, startConsumer } from "#kit/events/consumer.ts";
import { defaultChain } from "#kit/events/middleware/index.ts";
import { newId } from "#kit/id.ts";
import { until } from "../../_util/until.ts";
import { openStack, type Stack, taskEvent } from "./stack.ts";

let stack: Stack;

beforeAll(async () => {
  stack = await openStack("order");
});
afterAll(() => stack?.close());

/** Everything on the topic of deliveries, in its order. */
async function collectDeliveries(): Promise<Map<string, bigint[]>> {
  const seen = new Map<string, bigint[]>();
  const collect: ConsumerMiddleware = {
    name: "collect",
    wrap: () => async (delivery) => {
      const { recipientId, sequence } = fromBinary(DeliveryEventSchema, delivery.value);
      seen.set(recipientId, [...(seen.get(recipientId) ?? []), sequence]);
      return { result: "done" };
    },
  };
  await startConsumer({
    group: `${stack.id}.collect`,
    topics: [stack.topics.deliveries],
    brokers: stack.brokers,
    database: stack.database,
    handle: async () => {},
    lifecycle: stack.lifecycle,
    chain: [collect],
    partitions: 3,
  });
  return seen;
}

/** Between the remembering of an event and its effect, so that transactions overtake each other where they can. */
const jitter: ConsumerMiddleware = {
  name: "jitter",
  wrap: (next) => async (delivery) => {
    await delay(Number(BigInt(delivery.meta.offset) % 4n) * 5);
    return next(delivery);
  },
};

it("asks for the deliveries of each person in their order, without holes, while many events meet", async () => {
  const people = Array.from({ length: 4 }, () => stack.peers.addPerson().userId);
  const events = Array.from({ length: 150 }, (_, index) =>
    taskEvent(stack.topics.events, {
      taskId: newId(),
      title: `task ${index}`,
      memberIds: people.filter((_, person) => (index >> person) % 4 !== 0),
      fact: { case: "taskCompleted", value: {} },
    }),
  );
  await stack.publish(events);
  const chain = [...defaultChain, jitter];
  const [seen] = await Promise.all([
    collectDeliveries(),
    stack.start("notification", { chain }),
    stack.start("notification", { chain }),
  ]);
  const [expected] = await until("all events to have their effect", async () => {
    const rows = await stack.database.query<{ entries: number; handled: number }>(
      `SELECT (SELECT count(*)::int FROM notification) AS entries, (SELECT count(*)::int FROM inbox_event) AS handled`,
    );
    return rows[0]?.handled === events.length && rows;
  });
  await until("all deliveries", () => [...seen.values()].flat().length === expected?.entries);
  for (const sequences of seen.values()) {
    expect(sequences).toEqual(sequences.map((_, index) => BigInt(index + 1)));
  }
  expect(seen.size).toBe(people.length);
});
