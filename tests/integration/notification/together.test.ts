import pg from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { newId } from "#kit/id.ts";
import { until } from "../../_util/until.ts";
import { openStack, type Stack, taskEvent } from "./stack.ts";

let stack: Stack;

beforeAll(async () => {
  stack = await openStack("together");
});
afterAll(() => stack?.close());

interface Sums {
  handled: number;
  transactions: number;
}

const sumsQuery = `SELECT count(*)::int AS handled, count(DISTINCT xmin::text)::int AS transactions FROM inbox_event`;
const sentQuery = "SELECT key, sequence::int FROM outbox_event ORDER BY xid, seq";

it("events that share a transaction keep each person's order, and no two such transactions wait for each other", async () => {
  const people = Array.from({ length: 5 }, () => stack.peers.addPerson().userId);
  // Each event has its own pair of people, in any order, so that transactions meet at inboxes from both sides.
  const events = Array.from({ length: 600 }, (_, index) =>
    taskEvent(stack.topics.events, {
      taskId: newId(),
      title: `task ${index}`,
      memberIds: [people[index % 5] as string, people[(index + 1 + (index % 3)) % 5] as string],
      fact: { case: "taskCompleted", value: {} },
    }),
  );
  await stack.publish(events);
  await Promise.all([stack.start("notification"), stack.start("notification")]);
  const [sums] = await until("all events to have their effect", async () => {
    const rows = await stack.database.query<Sums>(sumsQuery);
    return rows[0]?.handled === events.length && rows;
  });
  expect(sums?.transactions).toBeLessThan(events.length / 4);
  const sent = await stack.database.query<{ key: string; sequence: number }>(sentQuery);
  for (const [, ofPerson] of Map.groupBy(sent, ({ key }) => key)) {
    expect(ofPerson.map(({ sequence }) => sequence)).toEqual(ofPerson.map((_, index) => index + 1));
  }
  expect(new Set(sent.map(({ key }) => key)).size).toBe(people.length);
  expect(await deadlocks()).toBe(0);
});

/** How often PostgreSQL had to end a transaction of two that waited for each other. Its counts are whole once the sessions have ended. */
async function deadlocks(): Promise<number> {
  await stack.lifecycle.stop();
  const client = new pg.Client({ connectionString: stack.databaseUrl });
  await client.connect();
  const { rows } = await client.query(
    "SELECT deadlocks::int AS count FROM pg_stat_database WHERE datname = current_database()",
  );
  await client.end();
  return rows[0]?.count ?? 0;
}
