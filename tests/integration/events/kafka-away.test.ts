import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startConsumer } from "#kit/events/consumer.ts";
import { appendOutbox } from "#kit/events/outbox.ts";
import { startRelay } from "#kit/events/relay.ts";
import { newId } from "#kit/id.ts";
import * as kafka from "../../../cli/runner/parts/kafka.ts";
import { pickPorts } from "../../../cli/runner/ports.ts";
import type { RunningPart } from "../../../cli/runner/process-spec.ts";
import { until } from "../../_util/until.ts";
import { recordEffect } from "./effect.ts";
import { countEffects, effectsOf, openStage, type Stage } from "./stage.ts";

// A broker of this test's own: it dies.
let folder: string;
let broker: RunningPart;
let stage: Stage;
let startBroker: () => Promise<RunningPart>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "taskmesh-kafka-"));
  const [port = 0, controllerPort = 0] = await pickPorts(2);
  const options = { dataDir: join(folder, "data"), logFile: join(folder, "kafka.log"), port, controllerPort };
  startBroker = () => kafka.start(options);
  broker = await startBroker();
  stage = await openStage("kafka-away", { broker: broker.address });
});
afterAll(async () => {
  await stage.close();
  await broker.stop();
  await rm(folder, { recursive: true, force: true });
});

const written: string[] = [];

async function write(count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    const eventId = newId();
    const event = { topic: stage.topic, key: "one", eventId, type: "test.v1.Happened", sequence: written.length + 1 };
    await stage.database.transactional((em) =>
      appendOutbox(em, { ...event, payload: Buffer.alloc(1), occurTime: new Date() }),
    );
    written.push(eventId);
  }
}

const allArrived = async () => (await countEffects(stage.database)) >= written.length;

test("while Kafka is away writes go on; once it is back their events arrive, once each and in order", async () => {
  const relay = startRelay({ ...stage, source: "test" });
  const consumer = await startConsumer({
    ...stage,
    topics: [stage.topic],
    handle: recordEffect(),
    sessionTimeoutMs: 3000,
  });
  await write(50);
  await until("the first events", allArrived);

  process.kill(broker.pid, "SIGKILL");
  await write(100);
  await until("the consumer to notice", () => !consumer.healthy, { timeoutMs: 15_000 });
  expect(relay.active).toBe(true);
  expect(await countEffects(stage.database)).toBe(50);

  broker = await startBroker();
  await write(50);
  await until("all events", allArrived, { timeoutMs: 40_000 });
  expect((await effectsOf(stage.database)).map(({ event_id }) => event_id)).toEqual(written);
  expect(consumer.healthy).toBe(true);
});
