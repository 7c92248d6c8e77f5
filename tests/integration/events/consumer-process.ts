import { setTimeout as delay } from "node:timers/promises";
import { openDatabase } from "#kit/db/database.ts";
import { startConsumer } from "#kit/events/consumer.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import { recordEffect } from "./effect.ts";
import { stageMigrations } from "./stage-migrations.ts";

// A member of a group, to be killed at any moment. Tells its partitions of the topic whenever they change.
const [url = "", broker = "", group = "", topic = "", member = ""] = process.argv.slice(2);
const lifecycle = new Lifecycle();
const database = await openDatabase({
  url,
  entities: [],
  migrations: stageMigrations,
  lifecycle,
  applicationName: member,
  pool: { min: 0, max: 4 },
});
const record = recordEffect(member);
const consumer = await startConsumer({
  group,
  topics: [topic],
  brokers: [broker],
  database,
  lifecycle,
  sessionTimeoutMs: 3000,
  partitionsConsumedConcurrently: 4,
  handle: async (event) => {
    await record(event);
    await delay(2);
  },
});
let told = "";
setInterval(() => {
  const partitions = JSON.stringify(consumer.assignment[topic] ?? []);
  if (partitions !== told) process.stdout.write(`${partitions}\n`);
  told = partitions;
}, 50);
process.once("SIGTERM", () => lifecycle.stop().then(() => process.exit(0)));
