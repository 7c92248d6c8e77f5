import { afterEach, beforeEach, expect, test } from "vitest";
import { PermanentEventError, startConsumer } from "#kit/events/consumer.ts";
import { listDeadLetters } from "#kit/events/dead-letter-list.ts";
import { redriveDeadLetters } from "#kit/events/redrive.ts";
import { deadLetterTopic } from "#kit/events/topics.ts";
import { until } from "../../_util/until.ts";
import { recordEffect } from "./effect.ts";
import { collect, countEffects, effectsOf, eventRecord, idOf, openStage, type Stage } from "./stage.ts";

let stage: Stage;
beforeEach(async () => {
  stage = await openStage("poison");
});
afterEach(() => stage.close());

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const traceparent = `00-${traceId}-00f067aa0ba902b7-01`;

/** Refuses what is in the set with the given error, until it is taken out. */
function refusing(poison: Set<string>, failure: () => Error = () => new Error("secret words of a person")) {
  const record = recordEffect();
  return async (event: Parameters<typeof record>[0]) => {
    await record(event);
    if (poison.has(event.meta.eventId)) throw failure();
  };
}

const effectsByKey = async () => Map.groupBy(await effectsOf(stage.database), ({ key }) => key);

test("an event that keeps failing becomes a dead letter; its key follows in order, other keys do not wait", async () => {
  const bad = Array.from({ length: 5 }, (_, n) =>
    eventRecord(stage.topic, "bad", n + 1, n === 0 ? { traceparent } : {}),
  );
  const good = Array.from({ length: 100 }, (_, n) => eventRecord(stage.topic, `good${n % 10}`, 1 + Math.floor(n / 10)));
  const poison = new Set([idOf(bad[0]!)]);
  const letters = await collect(stage, { group: `${stage.name}.letters`, topics: [deadLetterTopic(stage.group)] });
  await startConsumer({
    ...stage,
    topics: [stage.topic],
    handle: refusing(poison),
    retryDelaysMs: [300, 300, 300, 1500],
  });
  await stage.producer.send([...bad, ...good]);

  await until("the other keys", async () => (await countEffects(stage.database)) === good.length);
  expect((await effectsByKey()).get("bad")).toBeUndefined();
  expect(await listDeadLetters(stage.database)).toEqual([]);

  await until("the rest of the key", async () => (await effectsByKey()).get("bad")?.length === 4);
  expect((await effectsByKey()).get("bad")?.map(({ event_id }) => event_id)).toEqual(bad.slice(1).map(idOf));

  const [letter, ...more] = await listDeadLetters(stage.database);
  expect(more).toEqual([]);
  expect(letter).toMatchObject({
    group: stage.group,
    topic: stage.topic,
    key: "bad",
    eventId: idOf(bad[0]!),
    reason: "tries_exhausted",
    errorClass: "Error",
    attempts: 5,
    redriveTime: null,
  });
  const [record] = await until("the record", () => letters.length > 0 && letters);
  expect(record?.headers).toMatchObject({
    ce_id: idOf(bad[0]!),
    traceparent,
    mesh_reason: "tries_exhausted",
    mesh_error_class: "Error",
    mesh_attempt: "5",
    mesh_origin_topic: stage.topic,
    mesh_origin_partition: String(letter?.partition),
    mesh_origin_offset: String(letter?.offset),
  });
  expect(JSON.stringify(record?.headers)).not.toContain("secret");

  poison.clear();
  expect(await redriveDeadLetters(stage, { group: stage.group })).toHaveLength(1);
  expect(await redriveDeadLetters(stage, { group: stage.group })).toEqual([]);
  await until("the redriven event", async () => (await effectsByKey()).get("bad")?.length === 5);
  await stage.producer.send([eventRecord(stage.topic, "bad", 6)]);
  await until("the event after it", async () => (await effectsByKey()).get("bad")?.length === 6);
  expect((await effectsByKey()).get("bad")?.filter(({ event_id }) => event_id === idOf(bad[0]!)).length).toBe(1);
  expect(await stage.database.query("SELECT * FROM parked_key")).toEqual([]);
});

test("what cannot be decoded or is no event becomes a dead letter at once", async () => {
  const undecodable = eventRecord(stage.topic, "a", 1);
  const stranger = { ...eventRecord(stage.topic, "a", 2), headers: { made_by: "somebody else" } };
  const good = eventRecord(stage.topic, "a", 3);
  const poison = new Set([idOf(undecodable)]);
  const handle = refusing(poison, () => new PermanentEventError("undecodable"));
  await startConsumer({ ...stage, topics: [stage.topic], handle });
  await stage.producer.send([undecodable, stranger, good]);
  await until("the good event", async () => (await countEffects(stage.database)) === 1);
  const letters = await listDeadLetters(stage.database, { group: stage.group });
  expect(letters.map(({ reason, attempts }) => ({ reason, attempts }))).toEqual([
    { reason: "not_an_event", attempts: 1 },
    { reason: "undecodable", attempts: 1 },
  ]);
});

test("a handler that hangs is cut off and tried again", async () => {
  const event = eventRecord(stage.topic, "a");
  let tries = 0;
  const record = recordEffect();
  await startConsumer({
    ...stage,
    topics: [stage.topic],
    timeoutMs: 300,
    retryDelaysMs: [50],
    handle: async (delivered) => {
      await record(delivered);
      tries += 1;
      if (tries === 1) await new Promise(() => {});
    },
  });
  await stage.producer.send([event]);
  await until("the effect", async () => (await countEffects(stage.database)) === 1);
  expect(tries).toBe(2);
});

test("while its own database is away the consumer waits in place and gives no event up", async () => {
  const sent = Array.from({ length: 30 }, (_, n) => eventRecord(stage.topic, `k${n % 3}`, n + 1));
  const cutOff = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`;
  const record = recordEffect();
  let handled = 0;
  await startConsumer({
    ...stage,
    topics: [stage.topic],
    handle: async (event) => {
      handled += 1;
      if (handled === 5 || handled === 20) await stage.database.query(cutOff);
      await record(event);
    },
  });
  await stage.producer.send(sent);
  await until("all effects", async () => (await countEffects(stage.database)) === sent.length);
  expect(await listDeadLetters(stage.database)).toEqual([]);
  expect(await stage.database.query("SELECT * FROM parked_key")).toEqual([]);
});
