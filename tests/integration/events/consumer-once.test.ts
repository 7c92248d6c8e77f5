import { afterEach, beforeEach, expect, test } from "vitest";
import type { ConsumerMiddleware } from "#kit/events/chain.ts";
import { startConsumer } from "#kit/events/consumer.ts";
import { defaultChain } from "#kit/events/middleware/index.ts";
import { until } from "../../_util/until.ts";
import { recordEffect } from "./effect.ts";
import { countEffects, effectsOf, eventRecord, idOf, openStage, type Stage } from "./stage.ts";

let stage: Stage;
beforeEach(async () => {
  stage = await openStage("consumer-once");
});
afterEach(() => stage.close());

const keys = 20;
const records = () =>
  Array.from({ length: 200 }, (_, n) => eventRecord(stage.topic, `k${n % keys}`, 1 + Math.floor(n / keys)));

/** Fails after the effect is committed and before the offset is: what a crash at that moment leaves behind. */
function crashBeforeOffset(every: number): { middleware: ConsumerMiddleware; crashes(): number } {
  const crashed = new Set<string>();
  const middleware: ConsumerMiddleware = {
    name: "crash",
    wrap: (next) => async (delivery) => {
      const outcome = await next(delivery);
      const { eventId, sequence } = delivery.meta;
      if (Number(sequence) % every === 0 && !crashed.has(eventId)) {
        crashed.add(eventId);
        throw new Error("the process is gone");
      }
      return outcome;
    },
  };
  return { middleware, crashes: () => crashed.size };
}

async function consumeTwice(chain: readonly ConsumerMiddleware[]): Promise<{ events: number; crashes: number }> {
  const sent = records();
  const twice = sent.flatMap((record) => [record, record]);
  const crash = crashBeforeOffset(7);
  await startConsumer({ ...stage, topics: [stage.topic], handle: recordEffect(), chain: [crash.middleware, ...chain] });
  await stage.producer.send(twice);
  // The last event of each key comes once more behind all the others: when its effect is there, all are.
  const last = Array.from({ length: keys }, (_, n) => eventRecord(stage.topic, `k${n}`, 1000));
  await stage.producer.send(last);
  const lastIds = new Set(last.map(idOf));
  await until("the last effects", async () => {
    const effects = await effectsOf(stage.database);
    return effects.filter(({ event_id }) => lastIds.has(event_id)).length >= keys;
  });
  return { events: sent.length + last.length, crashes: crash.crashes() };
}

test("an event that comes twice, and again after a crash between effect and offset, has one effect [mesh.05]", async () => {
  const { events, crashes } = await consumeTwice(defaultChain);
  expect(crashes).toBeGreaterThan(0);
  expect(await countEffects(stage.database)).toBe(events);
  const distinct = new Set((await effectsOf(stage.database)).map(({ event_id }) => event_id));
  expect(distinct.size).toBe(events);
});

test("without the inbox the same has more than one effect", async () => {
  const { events } = await consumeTwice(defaultChain.filter(({ name }) => name !== "dedupe"));
  expect(await countEffects(stage.database)).toBeGreaterThan(events);
});
