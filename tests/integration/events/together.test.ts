import { afterEach, beforeEach, expect, test } from "vitest";
import { startConsumer } from "#kit/events/consumer.ts";
import { listDeadLetters } from "#kit/events/dead-letter-list.ts";
import { until } from "../../_util/until.ts";
import { recordEffect } from "./effect.ts";
import { countEffects, effectsOf, eventRecord, idOf, openStage, type Stage } from "./stage.ts";

let stage: Stage;
beforeEach(async () => {
  stage = await openStage("together");
});
afterEach(() => stage.close());

const keys = 10;
const records = () =>
  Array.from({ length: 300 }, (_, n) => eventRecord(stage.topic, `k${n % keys}`, 1 + Math.floor(n / keys)));

test("events that share a transaction have one effect each, in their key's order, however often they come", async () => {
  const sent = records();
  await stage.producer.send(sent.flatMap((record) => [record, record]));
  await stage.producer.send(sent);
  const end = Array.from({ length: keys }, (_, n) => eventRecord(stage.topic, `k${n}`, 1000));
  await stage.producer.send(end);
  const transactions = new Set<unknown>();
  const record = recordEffect();
  await startConsumer({
    ...stage,
    topics: [stage.topic],
    eventsPerTransaction: 50,
    handle: async (event) => {
      transactions.add(event.em.getTransactionContext());
      await record(event);
    },
  });
  const expected = [...sent, ...end];
  const isEnd = new Set(end.map(idOf));
  await until("the last effects", async () => {
    return (await effectsOf(stage.database)).filter(({ event_id }) => isEnd.has(event_id)).length === keys;
  });
  for (const [key, effects] of Map.groupBy(await effectsOf(stage.database), (effect) => effect.key)) {
    expect(effects.map(({ event_id }) => event_id)).toEqual(expected.filter((r) => r.key === key).map(idOf));
  }
  expect(transactions.size).toBeLessThan(expected.length / 2);
});

test("when one of them fails, only that one is tried again and given up", async () => {
  const sent = records();
  const poison = idOf(sent[137]!);
  await stage.producer.send(sent);
  const record = recordEffect();
  await startConsumer({
    ...stage,
    topics: [stage.topic],
    eventsPerTransaction: 50,
    retryDelaysMs: [50, 50, 50, 50],
    handle: async (event) => {
      await record(event);
      if (event.meta.eventId === poison) throw new Error("refused");
    },
  });
  await until("all others", async () => (await countEffects(stage.database)) === sent.length - 1);
  expect((await listDeadLetters(stage.database)).map(({ eventId }) => eventId)).toEqual([poison]);
  for (const [key, effects] of Map.groupBy(await effectsOf(stage.database), (effect) => effect.key)) {
    const ofKey = sent.filter((r) => r.key === key && idOf(r) !== poison);
    expect(effects.map(({ event_id }) => event_id)).toEqual(ofKey.map(idOf));
  }
});
