import { afterEach, beforeEach, expect, test } from "vitest";
import { startConsumer } from "#kit/events/consumer.ts";
import { type LagReader, openLagReader } from "#kit/events/lag.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import { lagByGroup, readLag } from "../../../cli/lag/read-lag.ts";
import { until } from "../../_util/until.ts";
import { eventRecord, openStage, type Stage } from "./stage.ts";

let stage: Stage;
let reader: LagReader;
beforeEach(async () => {
  stage = await openStage("lag", { partitions: 3 });
  reader = openLagReader({ brokers: stage.brokers });
});
afterEach(async () => {
  await reader.close();
  await stage.close();
});

const look = async () => {
  const lags = (await reader.read([stage.group])).filter(({ topic }) => topic === stage.topic);
  return { lags, sum: lagByGroup(lags).get(stage.group) ?? 0 };
};
const write = (count: number) =>
  stage.producer.send(Array.from({ length: count }, (_, n) => eventRecord(stage.topic, `key-${n}`)));

/** A member that handles nothing until it is told to. */
async function join(instance: string) {
  const lifecycle = new Lifecycle();
  const gate = Promise.withResolvers<void>();
  await startConsumer({
    group: stage.group,
    topics: [stage.topic],
    brokers: stage.brokers,
    partitions: stage.partitions,
    database: stage.database,
    lifecycle,
    clientId: `${instance} ${stage.group}`,
    handle: () => gate.promise,
  });
  return { open: () => gate.resolve(), leave: () => lifecycle.stop() };
}

test("tells what a group has still to do, who owns it, and what is left when nobody does", async () => {
  await write(30);
  const first = await join("one-1");
  const waiting = await until("the group to be seen", async () => {
    const seen = await look();
    return seen.sum === 30 && seen;
  });
  expect(waiting.lags.map(({ partition, committed, instance }) => [partition, committed, instance])).toEqual([
    [0, undefined, "one-1"],
    [1, undefined, "one-1"],
    [2, undefined, "one-1"],
  ]);
  expect(waiting.lags.every(({ end, lag }) => end === lag)).toBe(true);

  first.open();
  const done = await until("all to be handled", async () => {
    const seen = await look();
    return seen.sum === 0 && seen;
  });
  expect(done.lags.map(({ committed, end }) => committed === end)).toEqual([true, true, true]);

  const second = await join("two-2");
  await until("both to have a part", async () => {
    const owners = new Set((await look()).lags.map(({ instance }) => instance));
    return owners.has("one-1") && owners.has("two-2");
  });

  second.open();
  await Promise.all([first.leave(), second.leave()]);
  await write(5);
  const left = await look();
  expect(left.sum).toBe(5);
  expect(left.lags.map(({ instance }) => instance)).toEqual([undefined, undefined, undefined]);
  const all = await readLag(stage.brokers);
  expect(lagByGroup(all).get(stage.group)).toBe(5);
});

test("says nothing of a group that does not exist, and comes back by itself after a failure", async () => {
  expect(await reader.read([`${stage.group}-unknown`])).toEqual([]);
  await reader.close();
  expect(await reader.read([`${stage.group}-unknown`])).toEqual([]);
  await expect(readLag(["127.0.0.1:9"])).rejects.toThrow();
});
