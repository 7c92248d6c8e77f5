import { openDatabase } from "#kit/db/database.ts";
import { openProducer } from "#kit/events/producer.ts";
import { startRelay } from "#kit/events/relay.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import { stageMigrations } from "./stage-migrations.ts";

// An instance of a service that does nothing but relay, to be killed at any moment.
const [url = "", broker = "", topic = ""] = process.argv.slice(2);
const lifecycle = new Lifecycle();
const database = await openDatabase({
  url,
  entities: [],
  migrations: stageMigrations,
  lifecycle,
  applicationName: "relay",
  pool: { min: 0, max: 2 },
});
const producer = openProducer({ brokers: [broker], clientId: "relay", lifecycle, topics: [topic] });
const relay = startRelay({ database, source: "test", producer, lifecycle, batchSize: 100, frozenMs: 2000 });
setInterval(() => process.stdout.write(relay.active ? "active\n" : "standby\n"), 50);
