import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { until } from "../../_util/until.ts";
import type { Stage } from "./stage.ts";

/** Shorter than a statement may wait, so that whoever has a connection gets through in the end. */
const holdMs = 1200;
const pauseMs = 300;

/** Every statement on the table has to wait, again and again, until all connections of the pools are taken by those that do. */
export async function holdTable(stage: Stage, { database, table }: { database: string; table: string }) {
  const client = new pg.Client({ connectionString: await addressOf(stage, database) });
  await client.connect();
  let holding = true;
  const held = (async () => {
    while (holding) {
      await client.query(`BEGIN; LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`);
      await delay(holdMs);
      await client.query("COMMIT");
      await delay(pauseMs);
    }
    await client.end();
  })();
  return async () => {
    holding = false;
    await held;
  };
}

/** Connections that services may get for a moment, before they lose them again. */
const fleeting = 5;
// A connection that is being made has no name yet: it may be one of ours.
const endOthers =
  "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND application_name NOT IN ('greedy', '')";

/** Fills every slot of the server, and ends the services' connections, for as long as they come. */
export async function takeAllConnections(stage: Stage): Promise<() => Promise<void>> {
  const connectionString = await addressOf(stage, "postgres");
  const held: pg.Client[] = [];
  let taking = true;
  const takeOne = async () => {
    const client = new pg.Client({ connectionString, application_name: "greedy" }).on("error", () => {});
    await client.connect();
    held.push(client);
  };
  const take = async () => {
    while (taking) await takeOne().catch(() => delay(20));
  };
  await takeOne();
  const first = held[0] as pg.Client;
  const { rows } = await first.query("SELECT current_setting('max_connections')::int AS most");
  const end = async () => {
    for (; taking; await delay(50)) await first.query(endOthers).catch(() => {});
  };
  const taken = Promise.all([take(), take(), take(), take(), end()]);
  const giveBack = async () => {
    taking = false;
    await taken;
    await Promise.all(held.map((client) => client.end()));
  };
  const hasAll = () => held.length >= rows[0].most - fleeting;
  await until("the last connection", hasAll, { everyMs: 20 }).catch(async (error) => {
    await giveBack();
    throw error;
  });
  return giveBack;
}

async function addressOf(stage: Stage, database: string): Promise<string> {
  const { instances } = await stage.mesh.status();
  const port = instances.find(({ name }) => name === "postgres")?.ports.sql;
  const password = readFileSync(join(stage.home, "keys", "postgres-password"), "utf8").trim();
  return `postgres://postgres:${password}@127.0.0.1:${port}/${database}`;
}
