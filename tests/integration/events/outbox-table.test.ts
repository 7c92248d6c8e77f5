import { afterEach, beforeEach, expect, test } from "vitest";
import { DedicatedConnection } from "#kit/db/dedicated.ts";
import { appendOutboxAll, type OutgoingEvent, outboxCte, outboxParameters } from "#kit/events/outbox.ts";
import { startRelay } from "#kit/events/relay.ts";
import { maintainOutbox } from "#kit/events/relay-partitions.ts";
import { newId } from "#kit/id.ts";
import { until } from "../../_util/until.ts";
import { collect, openStage, type Stage } from "./stage.ts";

let stage: Stage;
let connection: DedicatedConnection;
beforeEach(async () => {
  stage = await openStage("outbox-table");
  connection = await DedicatedConnection.open({ url: stage.url, applicationName: "outbox-table" });
});
afterEach(async () => {
  await connection.close();
  await stage.close();
});

const event = (sequence: number): OutgoingEvent => ({
  topic: stage.topic,
  key: "a",
  eventId: newId(),
  type: "test.v1.Happened",
  sequence,
  payload: Buffer.from([sequence]),
  occurTime: new Date("2026-11-21T10:00:00.123Z"),
});

test("a domain row and its event are one statement, and the event arrives as it was", async () => {
  const seen = await collect(stage);
  startRelay({ ...stage, source: "task" });
  const sent = event(1);
  const sql = `WITH aggregate AS (INSERT INTO aggregate VALUES ($1, 1) RETURNING aggregate_id), ${outboxCte(2)}
    SELECT aggregate_id FROM aggregate`;
  const rows = await stage.database.query(sql, ["a", ...outboxParameters(sent)], { name: "test-create" });
  expect(rows).toEqual([{ aggregate_id: "a" }]);
  const [arrived] = await until("the event", () => seen.length === 1 && seen);
  const { eventId, type, key, occurTime } = sent;
  expect(arrived?.meta).toMatchObject({ eventId, type, key, occurTime, source: "task", sequence: 1n, attempt: 1 });
  expect([...(arrived?.value ?? [])]).toEqual([1]);
  expect(arrived?.headers).toMatchObject({
    ce_specversion: "1.0",
    ce_time: "2026-11-21T10:00:00.123Z",
    "content-type": "application/protobuf",
  });
});

test("several events of one statement keep their order", async () => {
  const seen = await collect(stage);
  const sent = Array.from({ length: 50 }, (_, n) => event(n + 1));
  await stage.database.transactional((em) => appendOutboxAll(em, sent));
  startRelay({ ...stage, source: "task" });
  await until("all events", () => seen.length === sent.length);
  expect(seen.map(({ meta }) => meta.eventId)).toEqual(sent.map(({ eventId }) => eventId));
});

const partitions = async () => {
  const rows = await connection.query<{ name: string }>(
    "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'outbox_event'::regclass ORDER BY 1",
  );
  return rows.map(({ name }) => name.replace("outbox_event_", ""));
};
const dayOf = (date: Date) => date.toISOString().slice(0, 10).replaceAll("-", "");
const inDays = (days: number) => new Date(Date.now() + days * 86_400_000);
const everything = ["9223372036854775807", "9223372036854775807"] as const;

test("partitions of the coming days are made, and events go into the day's own", async () => {
  await maintainOutbox(connection, { now: new Date(), keepHours: 24, position: ["0", "0"] });
  expect(await partitions()).toEqual([dayOf(inDays(0)), dayOf(inDays(1)), dayOf(inDays(2)), "default"]);
  await stage.database.transactional((em) => appendOutboxAll(em, [event(1)]));
  expect(await connection.query("SELECT 1 FROM outbox_event_default")).toEqual([]);
});

test("a partition goes when all of it is sent and old, and not before", async () => {
  await stage.database.transactional((em) => appendOutboxAll(em, [event(1)]));
  const today = dayOf(inDays(0));
  await maintainOutbox(connection, { now: inDays(3), keepHours: 24, position: ["0", "0"] });
  expect(await partitions()).toContain(today);
  await maintainOutbox(connection, { now: inDays(1), keepHours: 24, position: everything });
  expect(await partitions()).toContain(today);
  await maintainOutbox(connection, { now: inDays(3), keepHours: 24, position: everything });
  expect(await partitions()).not.toContain(today);
});

test("a day whose events are in the default partition stays there until they are sent and old", async () => {
  await connection.query(`DROP TABLE outbox_event_${dayOf(inDays(0))}`);
  await stage.database.transactional((em) => appendOutboxAll(em, [event(1)]));
  await maintainOutbox(connection, { now: new Date(), keepHours: 24, position: ["0", "0"] });
  expect(await partitions()).not.toContain(dayOf(inDays(0)));
  expect(await connection.query("SELECT 1 FROM outbox_event_default")).toHaveLength(1);
  await maintainOutbox(connection, { now: inDays(3), keepHours: 24, position: everything });
  expect(await connection.query("SELECT 1 FROM outbox_event_default")).toEqual([]);
});
