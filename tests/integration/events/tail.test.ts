import { afterEach, beforeEach, expect, test } from "vitest";
import { type TailedRecord, tailTopics } from "#kit/events/tail.ts";
import { until } from "../../_util/until.ts";
import { eventRecord, idOf, openStage, type Stage } from "./stage.ts";

let stage: Stage;
beforeEach(async () => {
  stage = await openStage("tail");
});
afterEach(() => stage.close());

test("who looks on sees every record from the beginning on once and in order, while more are written", async () => {
  const write = async (from: number) => {
    const records = Array.from({ length: 50 }, (_, n) => eventRecord(stage.topic, `k${n % 5}`, from + n));
    await stage.producer.send(records);
    return records.map(idOf);
  };
  const since = new Date(Date.now() - 60_000);
  const written = await write(1);
  const seen: TailedRecord[] = [];
  const leaving = new AbortController();
  let follows = false;
  const { brokers, topic } = stage;
  const onFollowing = () => {
    follows = true;
  };
  const see = (record: TailedRecord) => void seen.push(record);
  const tail = tailTopics({ brokers, topics: [topic], since, signal: leaving.signal, onFollowing, see });
  try {
    while (!follows) written.push(...(await write(written.length + 1)));
    for (let more = 0; more < 20; more += 1) written.push(...(await write(written.length + 1)));
    await until("the last record", () => new Set(seen.map(({ eventId }) => eventId)).size === written.length);
    // One more, so that whatever came twice has come by then.
    written.push(...(await write(written.length + 1)));
    await until("one more", () => new Set(seen.map(({ eventId }) => eventId)).size === written.length);
  } finally {
    leaving.abort();
    await tail;
  }
  expect(seen.map(({ eventId }) => eventId).sort()).toEqual(written.sort());
  for (const records of Map.groupBy(seen, ({ partition }) => partition).values()) {
    const offsets = records.map(({ offset }) => Number(offset));
    expect(offsets).toEqual(offsets.toSorted((a, b) => a - b));
  }
});
