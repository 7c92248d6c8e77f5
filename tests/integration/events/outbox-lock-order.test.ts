import { afterEach, beforeEach, expect, test } from "vitest";
import { type EntityManager, execute } from "#kit/db/database.ts";
import { statement } from "#kit/db/statement.ts";
import { appendOutbox } from "#kit/events/outbox.ts";
import { startRelay } from "#kit/events/relay.ts";
import { newId } from "#kit/id.ts";
import { until } from "../../_util/until.ts";
import { collect, openStage, type Stage } from "./stage.ts";

const lock = statement("test-lock", "SELECT event_sequence FROM aggregate WHERE aggregate_id = $1 FOR UPDATE");
const takeNumber = statement("test-number", "SELECT pg_current_xact_id()::text AS xid");

let stage: Stage;
beforeEach(async () => {
  stage = await openStage("outbox-lock-order");
  await stage.database.query("INSERT INTO aggregate (aggregate_id) VALUES ('a')");
});
afterEach(() => stage.close());

async function change(em: EntityManager, sequence: number): Promise<void> {
  await execute(em, lock, ["a"]);
  const event = { topic: stage.topic, key: "a", eventId: newId(), type: "test.v1.Happened", sequence };
  await appendOutbox(em, { ...event, payload: Buffer.alloc(1), occurTime: new Date() });
}

/** The first event of the aggregate is written by the transaction with the higher number, the second by the lower. */
async function sentOrder(): Promise<number[]> {
  const seen = await collect(stage);
  await stage.database.transactional(async (early) => {
    await execute(early, takeNumber);
    await stage.database.transactional((late) => change(late, 1));
    await change(early, 2);
  });
  startRelay({ ...stage, source: "test" });
  await until("both events", () => seen.length === 2);
  return seen.map(({ meta }) => Number(meta.sequence));
}

test("events leave in the order of the row's lock, also when transactions were numbered the other way round", async () => {
  expect(await sentOrder()).toEqual([1, 2]);
});

test("with the transaction's number alone they would leave the other way round", async () => {
  await stage.database.query("ALTER TABLE outbox_event ALTER COLUMN xid SET DEFAULT pg_current_xact_id()");
  expect(await sentOrder()).toEqual([2, 1]);
});

test("transaction numbers are ordered as numbers, not as their text", async () => {
  const seen = await collect(stage);
  await stage.database.query(
    `INSERT INTO outbox_event (xid, topic, key, event_id, type, sequence, payload, occur_time)
     SELECT xid::xid8, $1, 'a', gen_random_uuid(), 'test.v1.Happened', place, '', now()
     FROM unnest(ARRAY['9', '10', '100']) WITH ORDINALITY AS row (xid, place)`,
    [stage.topic],
  );
  startRelay({ ...stage, source: "test" });
  await until("all events", () => seen.length === 3);
  expect(seen.map(({ meta }) => Number(meta.sequence))).toEqual([1, 2, 3]);
});
