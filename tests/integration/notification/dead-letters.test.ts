import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { PermanentEventError } from "#kit/events/consumer.ts";
import { listDeadLetters } from "#kit/events/dead-letter-list.ts";
import { type EventProducer, openProducer } from "#kit/events/producer.ts";
import { redriveDeadLetters } from "#kit/events/redrive.ts";
import { type TailedRecord, tailTopics } from "#kit/events/tail.ts";
import { deadLetterTopic, retryStages } from "#kit/events/topics.ts";
import { newId } from "#kit/id.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import { until } from "../../_util/until.ts";
import { eventRecord, idOf } from "../events/stage.ts";
import { type DeadLetterStage, openDeadLetterStage, type Told } from "./dead-letter-stage.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const traceparent = `00-${traceId}-00f067aa0ba902b7-01`;
const retryDelaysMs = [200, 300, 400, 500];

let stage: DeadLetterStage;
let group: string;
let bystander: string;
let told: Told[];
let others: Told[];
/** What is wrong with these events, by their id; the cause is mended when it is taken out. */
const causes = new Map<string, () => Error>();
const beginning = new Date();

beforeAll(async () => {
  stage = await openDeadLetterStage("dead_letters");
  [group, bystander] = [`${stage.id}.first`, `${stage.id}.second`];
  const fail = async ({ meta }: { meta: { eventId: string } }) => {
    const cause = causes.get(meta.eventId);
    if (cause) throw cause();
  };
  [told, others] = await Promise.all([
    stage.join(group, { fail, retryDelaysMs }),
    stage.join(bystander, { fail: async () => {}, retryDelaysMs }),
  ]);
});
afterAll(() => stage?.close());

const of = (eventId: string, list = told) => list.filter(({ delivery }) => delivery.meta.eventId === eventId);
const resultsOf = (eventId: string, list = told) => of(eventId, list).map(({ result }) => result);
const poisonous = () => new Error("secret words of a person");

/** Waits until an event has become a dead letter. */
const buried = (eventId: string) => until("its dead letter", () => resultsOf(eventId).at(-1) === "dead");

describe("retry topics, dead letters and sending them back [mesh.06]", () => {
  const key = newId();
  const poison = eventRecordOf(key, 1, { traceparent });
  const followers = [2, 3].map((sequence) => eventRecordOf(key, sequence));
  const good = Array.from({ length: 60 }, (_, n) => eventRecordOf(`other ${n}`, 1));
  const id = idOf(poison);
  let letterId: string;

  it("has retry topics of 1 s, 10 s, 60 s and 10 min", () => {
    expect(retryStages("email")).toEqual([
      { topic: "email.retry-1s.v1", delayMs: 1_000 },
      { topic: "email.retry-10s.v1", delayMs: 10_000 },
      { topic: "email.retry-60s.v1", delayMs: 60_000 },
      { topic: "email.retry-10m.v1", delayMs: 600_000 },
    ]);
  });

  it("tries an event that always fails after each wait, and then gives it up", async () => {
    causes.set(id, poisonous);
    await stage.producer.send(addressed([poison, ...followers, ...good]));
    await buried(id);
    expect(resultsOf(id)).toEqual(["retried", "retried", "retried", "retried", "dead"]);
    expect(of(id).map(({ delivery }) => delivery.meta.attempt)).toEqual([1, 2, 3, 4, 5]);
    expect(of(id).map(({ delivery }) => delivery.stage)).toEqual([undefined, 0, 1, 2, 3]);
    const starts = of(id).map(({ startTime }) => startTime);
    const waits = retryDelaysMs.map((_, n) => (starts[n + 1] ?? 0) - (starts[n] ?? 0));
    for (const [n, wait] of waits.entries()) expect(wait).toBeGreaterThanOrEqual(retryDelaysMs[n] as number);
    expect(await stage.effects(group, id)).toBe(0);
  });

  it("lets other keys of its partition go on at once, and its own in their order behind it", async () => {
    await until("all others", () => [...followers, ...good].every((each) => resultsOf(idOf(each)).includes("done")));
    const order = told.map(({ delivery, result }) => `${delivery.meta.eventId} ${result}`);
    const { partition, offset } = of(id)[0]?.delivery.meta ?? { partition: -1, offset: "" };
    const behind = told.filter(({ delivery: { meta, stage: at } }) => {
      return (
        at === undefined && meta.key !== key && meta.partition === partition && BigInt(meta.offset) > BigInt(offset)
      );
    });
    expect(behind.length).toBeGreaterThan(0);
    const next = behind[0]?.delivery.meta.eventId;
    expect(told.findIndex(({ delivery }) => delivery.meta.eventId === next)).toBeLessThan(
      told.findIndex(({ delivery }) => delivery.meta.eventId === id && delivery.meta.attempt === 2),
    );
    const ends = [`${id} dead`, ...followers.map((each) => `${idOf(each)} done`)].map((end) => order.indexOf(end));
    expect(ends).toEqual(ends.toSorted((a, b) => a - b));
  });

  it("keeps it with reason, tries, origin and trace, as a row and in the topic of dead letters", async () => {
    const { deadLetters } = await stage.mesh("list", group);
    expect(deadLetters).toEqual([
      {
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        group,
        place: { topic: deadLetterTopic(group), partition: expect.any(Number), offset: "0" },
        origin: {
          topic: stage.topic,
          partition: of(id)[0]?.delivery.meta.partition,
          offset: of(id)[0]?.delivery.meta.offset,
        },
        key,
        eventId: id,
        type: "test.v1.Happened",
        reason: "tries_exhausted",
        errorClass: "Error",
        attempts: 5,
        failTime: expect.any(String),
        redriveTime: null,
        redrives: 0,
        traceId,
      },
    ]);
    expect(JSON.stringify(deadLetters)).not.toContain("secret");
    letterId = deadLetters[0].id;
    const record = await recordAt(deadLetters[0].place);
    expect(record).toMatchObject({ eventId: id, key, type: "test.v1.Happened", traceId });
  });

  it("tells which would be sent back, and sends none", async () => {
    const answer = await stage.dlq("redrive", group, "--all", "--dry-run");
    expect(answer).toMatchObject({ dryRun: true, redriven: 1, deadLetters: [{ id: letterId, redrives: 0 }] });
    expect(await listDeadLetters(stage.database, { group })).toHaveLength(1);
  });

  it("sends it back once the cause is mended: to this group alone, as it was, with one effect", async () => {
    causes.clear();
    const answer = await stage.dlq("redrive", group, "--id", letterId);
    expect(answer).toMatchObject({ dryRun: false, redriven: 1, deadLetters: [{ id: letterId, redrives: 1 }] });
    await until("the effect", () => resultsOf(id).at(-1) === "done");
    const { meta, headers, value } = of(id).at(-1)?.delivery ?? {};
    const first = of(id)[0]?.delivery;
    expect(meta).toEqual({ ...first?.meta, attempt: 1 });
    expect(headers).toMatchObject({ ...first?.headers, traceparent, mesh_redrive: "1" });
    expect(Buffer.from(value ?? [])).toEqual(first?.value);
    expect(await stage.effects(group, id)).toBe(1);
    expect(resultsOf(id, others)).toEqual(["done"]);
  });

  it("does nothing when it is sent back again, by the tool, by the RPC, or because nobody knew that it was sent", async () => {
    expect(await stage.dlq("redrive", group, "--id", letterId)).toMatchObject({ redriven: 0 });
    const operator = await stage.client("operator");
    const again = await operator.redriveDeadLetters({ group, deadLetterIds: [letterId] });
    expect(again.deadLetters).toEqual([]);
    expect((await stage.dlq("list", group)).deadLetters).toEqual([]);
    expect((await stage.dlq("list", group, "--redriven")).deadLetters).toMatchObject([{ id: letterId, redrives: 1 }]);
    // As after a crash between the sending and the commit.
    await stage.database.query("UPDATE dead_letter SET redrive_time = NULL");
    expect((await operator.redriveDeadLetters({ group })).deadLetters).toHaveLength(1);
    await until("the second delivery", () => resultsOf(id).at(-1) === "duplicate");
    expect(await stage.effects(group, id)).toBe(1);
    expect(await stage.effects(bystander, id)).toBe(1);
  });
});

describe("what would not be seen otherwise", () => {
  it("is found by these tests: a redrive that makes a new event of it has the effect twice", async () => {
    const record = eventRecordOf(newId(), 1);
    causes.set(idOf(record), () => new PermanentEventError("refused"));
    await stage.producer.send(addressed([record]));
    await buried(idOf(record));
    causes.clear();
    const planted: EventProducer = {
      ...stage.producer,
      send: (records) =>
        stage.producer.send(records.map((each) => ({ ...each, headers: { ...each.headers, ce_id: newId() } }))),
    };
    const parts = { database: stage.database, producer: planted };
    for (let time = 0; time < 2; time += 1) {
      await stage.database.query("UPDATE dead_letter SET redrive_time = NULL WHERE event_id = $1", [idOf(record)]);
      expect(await redriveDeadLetters(parts, { group, reason: "refused" })).toHaveLength(1);
    }
    const ofKey = "SELECT event_id FROM effect WHERE group_name = $1 AND key = $2";
    const effects = () => stage.database.query(ofKey, [group, record.key]);
    await until("two effects", async () => (await effects()).length === 2);
  });
});

describe("some of several dead letters", () => {
  it("are chosen by fact and by reason; one that fails again waits again and is met once", async () => {
    const wrong = [eventRecordOf(newId(), 1), eventRecordOf(newId(), 1, { ce_type: "test.v1.Other" })];
    causes.set(idOf(wrong[0]!), () => new PermanentEventError("refused"));
    causes.set(idOf(wrong[1]!), () => new PermanentEventError("undecodable"));
    await stage.producer.send(addressed(wrong));
    await Promise.all(wrong.map((each) => buried(idOf(each))));
    const operator = await stage.client("operator");
    const listed = async (filter: object) =>
      (await operator.listDeadLetters({ group, ...filter })).deadLetters.map(({ eventId }) => eventId);
    expect((await listed({})).sort()).toEqual(wrong.map(idOf).sort());
    expect(await listed({ reason: "refused" })).toEqual([idOf(wrong[0]!)]);
    expect(await listed({ eventType: "test.v1.Other" })).toEqual([idOf(wrong[1]!)]);

    const answer = await stage.dlq("redrive", group, "--type", "test.v1.Other");
    expect(answer).toMatchObject({ redriven: 1, deadLetters: [{ eventId: idOf(wrong[1]!) }] });
    await until("its second end", () => resultsOf(idOf(wrong[1]!)).length === 2);
    expect(resultsOf(idOf(wrong[1]!))).toEqual(["dead", "dead"]);
    const [again] = (await operator.listDeadLetters({ group, eventType: "test.v1.Other" })).deadLetters;
    expect(again).toMatchObject({ deadLetterId: answer.deadLetters[0].id, redriveCount: 1, attemptCount: 1 });
    expect(again?.redriveTime).toBeUndefined();

    // Both fail again at once; page by page, each is met once.
    const met: string[] = [];
    for (let pageToken = ""; ; ) {
      const page = await operator.redriveDeadLetters({ group, pageSize: 1, pageToken });
      met.push(...page.deadLetters.map(({ eventId }) => eventId));
      await until("their ends", () => met.every((eventId) => resultsOf(eventId).length >= 2));
      pageToken = page.nextPageToken;
      if (pageToken === "") break;
    }
    expect(met.sort()).toEqual(wrong.map(idOf).sort());
    await until("both to wait again", async () => (await listed({})).length === 2);
  });

  it("stay where they are when Kafka does not take them", async () => {
    const before = await listDeadLetters(stage.database, { group });
    const lifecycle = new Lifecycle();
    const away = openProducer({ brokers: ["127.0.0.1:1"], clientId: "away", lifecycle });
    const parts = { database: stage.database, producer: away };
    await expect(redriveDeadLetters(parts, { group })).rejects.toMatchObject({ reason: ErrorReason.UNAVAILABLE });
    await lifecycle.stop();
    // One that is buried twice has another place in its topic afterwards.
    const ids = (letters: typeof before) => letters.map(({ eventId, redriveTime }) => [eventId, redriveTime]);
    expect(ids(await listDeadLetters(stage.database, { group }))).toEqual(ids(before));
    expect(before).toHaveLength(2);
  });

  it("are forgotten when nobody needs them any more, those that were chosen alone", async () => {
    const rows = async () =>
      (await stage.dlq("list", group)).deadLetters.map(({ reason }: { reason: string }) => reason);
    const given = [group, "--reason", "undecodable"];
    expect(await stage.dlq("discard", ...given, "--dry-run")).toMatchObject({ discarded: 1 });
    expect(await rows()).toHaveLength(2);
    expect(await stage.dlq("discard", ...given)).toMatchObject({
      discarded: 1,
      deadLetters: [{ reason: "undecodable" }],
    });
    expect(await rows()).toEqual(["refused"]);
    expect(await stage.dlq("discard", ...given)).toMatchObject({ discarded: 0 });
    causes.clear();
  });

  it("are the operator's business alone, and asked for in a way that is understood", async () => {
    for (const name of ["gateway", "consumers"] as const) {
      const client = await stage.client(name);
      const refused = { reason: ErrorReason.CALLER_NOT_ALLOWED };
      await expect(client.listDeadLetters({}, stage.stage.as(newId()))).rejects.toMatchObject(refused);
      await expect(client.redriveDeadLetters({ group }, stage.stage.as(newId()))).rejects.toMatchObject(refused);
      await expect(client.discardDeadLetters({ group }, stage.stage.as(newId()))).rejects.toMatchObject(refused);
    }
    const operator = await stage.client("operator");
    const misread = (field: string) => ({ fieldViolations: [expect.objectContaining({ field })] });
    await expect(operator.redriveDeadLetters({})).rejects.toMatchObject(misread("group"));
    await expect(operator.listDeadLetters({ deadLetterIds: ["x"] })).rejects.toMatchObject(
      misread("dead_letter_ids[0]"),
    );
    await expect(operator.listDeadLetters({ pageToken: "x" })).rejects.toMatchObject(misread("page_token"));
    await expect(stage.dlq("redrive", group)).rejects.toThrow("Say which");
  });
});

function eventRecordOf(key: string, sequence: number, headers: Record<string, string> = {}) {
  return eventRecord("", key, sequence, headers);
}

/** The topic is known once the stage is open. */
function addressed(records: ReturnType<typeof eventRecord>[]) {
  return records.map((record) => ({ ...record, topic: stage.topic }));
}

/** Reads one record of a topic as somebody who looks on. */
async function recordAt(place: { topic: string; partition: number; offset: string }): Promise<TailedRecord> {
  const leaving = new AbortController();
  let found: TailedRecord | undefined;
  await tailTopics({
    brokers: stage.brokers,
    topics: [place.topic],
    since: beginning,
    signal: AbortSignal.any([leaving.signal, AbortSignal.timeout(30_000)]),
    see: (record) => {
      if (record.partition !== place.partition || record.offset !== place.offset) return;
      found = record;
      leaving.abort();
    },
  });
  if (found === undefined) throw new Error(`there is no record at ${JSON.stringify(place)}`);
  return found;
}
