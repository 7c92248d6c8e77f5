import { create, toBinary } from "@bufbuild/protobuf";
import { type Message, Partitioners } from "kafkajs";
import { TaskEventSchema } from "#gen/task/v1/task_events_pb.js";
import { cloudEventHeaders } from "#kit/events/event.ts";
import { createKafka } from "#kit/events/kafka-client.ts";
import { newId } from "#kit/id.ts";
import type { TestMesh } from "./mesh.ts";

/** The broker takes a mebibyte at a time for each partition. */
const atOnce = 1000;

/** Writes events of tasks that nobody has, so many into each of the partitions: work without an effect. */
export async function produceTaskEvents(mesh: TestMesh, partitions: readonly number[], each: number): Promise<void> {
  const broker = (await mesh.status()).instances.find(({ name }) => name === "kafka")?.ports.broker;
  const kafka = createKafka({ brokers: [`127.0.0.1:${broker}`], clientId: "test" });
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  for (let left = each; left > 0; left -= atOnce) {
    const some = Array.from({ length: Math.min(left, atOnce) });
    const messages = partitions.flatMap((partition) => some.map(() => taskEvent(partition)));
    await producer.send({ topic: "task.events.v1", messages });
  }
  await producer.disconnect();
}

function taskEvent(partition: number): Message {
  const [eventId, taskId, occurTime] = [newId(), newId(), new Date()];
  const event = create(TaskEventSchema, { eventId, taskId, sequence: 1n, fact: { case: "taskCreated", value: {} } });
  const headers = cloudEventHeaders({ eventId, type: "task.v1.TaskCreated", sequence: 1, occurTime }, "task");
  return { partition, key: taskId, value: Buffer.from(toBinary(TaskEventSchema, event)), headers };
}
