import { setTimeout as delay } from "node:timers/promises";
import { openDatabase } from "#kit/db/database.ts";
import { startConsumer } from "#kit/events/consumer.ts";
import { runMain } from "#kit/lifecycle.ts";
import { recordEffect } from "../events/effect.ts";
import { stageMigrations } from "../events/stage-migrations.ts";

// A member of a group whose events take a second each, to be stopped in the midst of one.
const [url = "", broker = "", group = "", topic = ""] = process.argv.slice(2);
const record = recordEffect();

await runMain("test", async (lifecycle) => {
  const pool = { min: 0, max: 4 };
  const database = await openDatabase({
    url,
    entities: [],
    migrations: stageMigrations,
    lifecycle,
    applicationName: group,
    pool,
  });
  await startConsumer({
    group,
    topics: [topic],
    brokers: [broker],
    database,
    lifecycle,
    handle: async (event) => {
      process.stdout.write(`begun ${event.meta.eventId}\n`);
      await delay(1_000);
      await record(event);
    },
  });
});
