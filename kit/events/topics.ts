import { setTimeout as delay } from "node:timers/promises";
import type { Admin } from "kafkajs";
import { createKafka } from "./kafka-client.ts";

/** The topics that services write to. Keys: the aggregate's id on events, the recipient's on notifications. */
export const topics = {
  taskEvents: "task.events.v1",
  userEvents: "user.events.v1",
  authEvents: "auth.events.v1",
  deliveries: "notification.deliveries.v1",
  urgent: "notification.urgent.v1",
} as const;

export const defaultPartitions = 12;
/** Of retry topics and those of dead letters, which few events ever see: each partition costs the broker files and time. */
const partitionsAside = 3;

export interface RetryStage {
  topic: string;
  /** How long an event waits there. */
  delayMs: number;
}

const retryWaits = [
  { name: "retry-1s", delayMs: 1000 },
  { name: "retry-10s", delayMs: 10_000 },
  { name: "retry-60s", delayMs: 60_000 },
  { name: "retry-10m", delayMs: 600_000 },
];

/** How long an event waits in each of a group's retry topics, in milliseconds, unless told otherwise. */
export const usualRetryDelaysMs: readonly number[] = retryWaits.map(({ delayMs }) => delayMs);

/** The retry topics of a group in their order; tests give shorter waits. */
export function retryStages(group: string, delaysMs: readonly number[] = []): RetryStage[] {
  return retryWaits.map(({ name, delayMs }, stage) => ({
    topic: `${group}.${name}.v1`,
    delayMs: delaysMs[stage] ?? delayMs,
  }));
}

/** Where a group's events end that it could not handle. */
export function deadLetterTopic(group: string): string {
  return `${group}.dlq.v1`;
}

export interface EnsureTopicsOptions {
  brokers: string[];
  topics: readonly string[];
  partitions?: number;
}

/** Creates the topics that are missing and waits until they can be used. Any number of processes may do so at once. */
export async function ensureTopics({ brokers, topics: wanted, partitions }: EnsureTopicsOptions): Promise<void> {
  const admin = createKafka({ brokers, clientId: "taskmesh-topics" }).admin();
  await admin.connect();
  try {
    await createMissing(admin, wanted, partitions ?? defaultPartitions);
  } finally {
    await admin.disconnect();
  }
}

async function createMissing(admin: Admin, wanted: readonly string[], partitions: number): Promise<void> {
  const present = new Set(await admin.listTopics());
  const missing = wanted.filter((topic) => !present.has(topic));
  if (missing.length === 0) return;
  const aside = Math.min(partitions, partitionsAside);
  await Promise.all(missing.map((topic) => createOne(admin, topic, isAside(topic) ? aside : partitions)));
  await allUsable(admin, missing);
}

function isAside(topic: string): boolean {
  return /\.(dlq|retry-\w+)\.v1$/.test(topic);
}

/** One request for each topic: when another process is first with one of them, the others must not fail with it. */
async function createOne(admin: Admin, topic: string, numPartitions: number): Promise<void> {
  // Answers false when the topic exists already. Its own wait for leaders fails on a topic that is not known yet.
  await admin.createTopics({ topics: [{ topic, numPartitions, replicationFactor: -1 }], waitForLeaders: false });
}

const usableWithinMs = 10_000;

/** A topic that was made just now is unknown to the broker for another moment. */
async function allUsable(admin: Admin, made: string[]): Promise<void> {
  const end = Date.now() + usableWithinMs;
  for (;;) {
    try {
      const { topics: found } = await admin.fetchTopicMetadata({ topics: made });
      if (found.every(({ partitions }) => partitions.every(({ leader }) => leader >= 0))) return;
    } catch (error) {
      if (Date.now() > end) throw error;
    }
    await delay(50);
  }
}
