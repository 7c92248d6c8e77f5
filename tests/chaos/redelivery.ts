import type { Admin, Kafka, KafkaMessage } from "kafkajs";
import { newId } from "#kit/id.ts";
import { kafkaOf } from "../_util/kafka.ts";
import type { TestMesh } from "../_util/mesh.ts";
import { until } from "../_util/until.ts";

const journeys = [
  { topic: "task.events.v1", group: "notification" },
  { topic: "notification.deliveries.v1", group: "email" },
];

/** Sends every event that is in Kafka once more, as it is, and answers when the consumers are through with them. */
export async function redeliverEverything(mesh: TestMesh): Promise<void> {
  const kafka = await kafkaOf(mesh);
  const admin = kafka.admin();
  await admin.connect();
  try {
    for (const { topic, group } of journeys) {
      await untilConsumed(admin, topic, group);
      await sendAgain(kafka, topic, await everyMessage(kafka, admin, topic));
      await untilConsumed(admin, topic, group);
    }
  } finally {
    await admin.disconnect();
  }
}

interface Kept {
  partition: number;
  message: KafkaMessage;
}

async function everyMessage(kafka: Kafka, admin: Admin, topic: string): Promise<Kept[]> {
  const ends = await admin.fetchTopicOffsets(topic);
  const wanted = ends.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
  const kept: Kept[] = [];
  const consumer = kafka.consumer({ groupId: `redelivery-${newId()}` });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({ eachMessage: async ({ partition, message }) => void kept.push({ partition, message }) });
  await until(`${wanted} messages of ${topic}`, () => kept.length >= wanted);
  await consumer.disconnect();
  return kept;
}

async function sendAgain(kafka: Kafka, topic: string, kept: Kept[]): Promise<void> {
  const producer = kafka.producer();
  await producer.connect();
  const messages = kept.map(({ partition, message: { key, value, headers } }) => ({ partition, key, value, headers }));
  await producer.send({ topic, messages });
  await producer.disconnect();
}

/** Waits until a group has committed the end of every partition. */
export async function untilConsumed(admin: Admin, topic: string, group: string): Promise<void> {
  await until(
    `${group} to be through with ${topic}`,
    async () => {
      const ends = new Map(
        (await admin.fetchTopicOffsets(topic)).map(({ partition, high, low }) => [partition, { high, low }]),
      );
      const committed = (await admin.fetchOffsets({ groupId: group, topics: [topic] }))[0]?.partitions ?? [];
      return committed.every(({ partition, offset }) => {
        const { high = "0", low = "0" } = ends.get(partition) ?? {};
        return high === low || Number(offset) >= Number(high);
      });
    },
    { timeoutMs: 90_000, everyMs: 500 },
  );
}
