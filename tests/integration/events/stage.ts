import { randomBytes } from "node:crypto";
import { inject } from "vitest";
import { type Database, openDatabase } from "#kit/db/database.ts";
import type { ConsumerMiddleware, Delivery } from "#kit/events/chain.ts";
import { type ConsumerOptions, startConsumer } from "#kit/events/consumer.ts";
import { cloudEventHeaders } from "#kit/events/event.ts";
import { type OutgoingRecord, openProducer } from "#kit/events/producer.ts";
import { newId } from "#kit/id.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import { createTestDatabase } from "../../_util/database.ts";
import { stageMigrations } from "./stage-migrations.ts";

export interface StageOptions {
  pool?: { min: number; max: number };
  broker?: string;
  /** Of every topic; few, because the broker keeps them all until it stops. */
  partitions?: number;
}

export type Stage = Awaited<ReturnType<typeof openStage>>;

/** A database, a topic and a group of one test's own. */
export async function openStage(name: string, { broker = inject("kafka"), partitions = 3, pool }: StageOptions = {}) {
  const own = await createTestDatabase(name);
  const lifecycle = new Lifecycle();
  const id = `${name}-${randomBytes(4).toString("hex")}`;
  const brokers = [broker];
  const topic = `${id}.events.v1`;
  const database = await openDatabase({
    url: own.url,
    entities: [],
    migrations: stageMigrations,
    lifecycle,
    applicationName: id,
    pool,
  });
  const producer = openProducer({ brokers, clientId: id, lifecycle, topics: [topic], partitions });
  const close = async () => {
    await lifecycle.stop();
    await own.drop();
  };
  return { name: id, group: id, topic, brokers, partitions, database, producer, lifecycle, url: own.url, close };
}

/** An event as the relay would send it. */
export function eventRecord(
  topic: string,
  key: string,
  sequence = 1,
  headers: Record<string, string> = {},
): OutgoingRecord {
  const event = { eventId: newId(), type: "test.v1.Happened", sequence, occurTime: new Date() };
  return {
    topic,
    key,
    value: Buffer.from(`${key}#${sequence}`),
    headers: { ...cloudEventHeaders(event, "test"), ...headers },
  };
}

export const idOf = (record: OutgoingRecord): string => record.headers.ce_id ?? "";

/** The rows of `effect`, in the order in which they were written. */
export async function effectsOf(database: Database): Promise<{ event_id: string; key: string; member: string }[]> {
  return database.query("SELECT event_id, key, member FROM effect ORDER BY effect_id");
}

export async function countEffects(database: Database): Promise<number> {
  const [row] = await database.query<{ count: number }>("SELECT count(*)::int AS count FROM effect");
  return row?.count ?? 0;
}

/** Reads a topic from its beginning and hands over what it saw so far, the events of each key in their order. */
export async function collect(stage: Stage, options: Partial<ConsumerOptions> = {}): Promise<Delivery[]> {
  const seen: Delivery[] = [];
  const collector: ConsumerMiddleware = {
    name: "collect",
    wrap: () => async (delivery) => {
      seen.push(delivery);
      return { result: "done" };
    },
  };
  await startConsumer({
    group: `${stage.name}.collect`,
    topics: [stage.topic],
    brokers: stage.brokers,
    partitions: stage.partitions,
    database: stage.database,
    lifecycle: stage.lifecycle,
    handle: async () => {},
    chain: [collector],
    ...options,
  });
  return seen;
}
