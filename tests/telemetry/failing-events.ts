import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { kafkaOf } from "../_util/kafka.ts";
import type { TestMesh } from "../_util/mesh.ts";
import { until } from "../_util/until.ts";
import { type OtlpSpan, spansOf } from "./jaeger-spans.ts";
import type { Begun } from "./traced.ts";

/** Stops one instance where it stands while something runs; whoever asks it then gets no answer. */
export async function whilePaused<T>(mesh: TestMesh, name: string, run: () => Promise<T>): Promise<T> {
  const { pid } = (await mesh.status()).instances.find((instance) => instance.name === name) ?? {};
  if (pid === undefined) throw new Error(`${name} does not run`);
  process.kill(pid, "SIGSTOP");
  try {
    return await run();
  } finally {
    process.kill(pid, "SIGCONT");
  }
}

/** Writes something into a topic that no consumer can read, in a trace. */
export async function writeJunk(mesh: TestMesh, topic: string, { traceparent }: Begun): Promise<void> {
  const producer = (await kafkaOf(mesh)).producer({ allowAutoTopicCreation: false });
  await producer.connect();
  try {
    const headers = { ce_id: randomUUID(), ce_type: "task.v1.TaskCreated", ce_source: "task", traceparent };
    await producer.send({ topic, messages: [{ key: randomUUID(), value: Buffer.from("\xff\xff junk"), headers }] });
  } finally {
    await producer.disconnect();
  }
}

/** The trace ids that the records of a topic carry, as soon as there is one record at least. */
export async function traceIdsIn(mesh: TestMesh, topic: string): Promise<string[]> {
  const consumer = (await kafkaOf(mesh)).consumer({ groupId: `look-${randomUUID()}` });
  const found: string[] = [];
  await consumer.connect();
  try {
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ message: { headers } }) =>
        void found.push(String(headers?.traceparent).split("-")[1] ?? ""),
    });
    await until(`a record in ${topic}`, () => found.length > 0);
    await delay(0);
    return found;
  } finally {
    await consumer.disconnect();
  }
}

/** The tries of an event by one group, in their order, once the last of them has ended it. */
export async function triesOf(jaeger: string, { traceId }: Begun, group: string): Promise<OtlpSpan[]> {
  return until(
    "the last try of the event",
    async () => {
      const tries = (await spansOf(jaeger, traceId))
        .filter(({ name, attributes }) => name.startsWith("process ") && valueIn(attributes, groupName) === group)
        .sort((a, b) => Number(a.start - b.start));
      const last = tries.at(-1);
      return last && ["done", "dead"].includes(String(valueIn(last.attributes, outcome))) && tries;
    },
    { timeoutMs: 40_000 },
  );
}

const groupName = "messaging.consumer.group.name";
const outcome = "taskmesh.event.outcome";

function valueIn(attributes: OtlpSpan["attributes"], name: string): unknown {
  return attributes[name]?.value;
}
