import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { DeliveryEventSchema } from "#gen/notification/v1/delivery_events_pb.js";
import { Channel } from "#gen/notification/v1/notification_pb.js";
import type { ReminderSchema } from "#gen/task/v1/reminder_pb.js";
import type { TaskEventSchema } from "#gen/task/v1/task_events_pb.js";
import { Status } from "#gen/task/v1/task_pb.js";
import { UserEventSchema } from "#gen/user/v1/user_events_pb.js";
import { newId } from "#kit/id.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import { startScheduler } from "../../../consumers/scheduler/scheduler.ts";
import { until } from "../../_util/until.ts";
import { openStage, type SchedulerStage } from "./scheduler-stage.ts";
import { record, taskEvent } from "./stack.ts";

const hour = 3_600_000;

let stage: SchedulerStage;
let person: string;
let taskId: string;
let sequence: bigint;
let began: number;
beforeAll(async () => {
  stage = await openStage("rules");
  await stage.hear();
});
afterAll(() => stage?.close());
beforeEach(() => {
  person = stage.peers.addPerson({ timeZone: "UTC" }).userId;
  taskId = newId();
  sequence = 0n;
  began = Date.now() - 12 * hour;
});

type Facts = Partial<Omit<MessageInitShape<typeof TaskEventSchema>, "$typeName">>;
const inHours = (hours: number) => timestampFromDate(new Date(began + hours * hour));
const local = (hours: number) => new Date(began + hours * hour).toISOString().slice(0, 19);

/** What happened to the task so many hours after the test began, twelve of which have passed. */
const happened = (hours: number, event: Facts) =>
  taskEvent(stage.topic, {
    taskId,
    title: "Water the tomatoes",
    memberIds: [person],
    status: Status.OPEN,
    ...event,
    sequence: ++sequence,
    occurTime: inHours(hours),
  } as Parameters<typeof taskEvent>[1]);

const set = (hours: number, reminder: MessageInitShape<typeof ReminderSchema>, event: Facts = {}) => {
  const full = { reminderId: newId(), ...reminder };
  return happened(hours, { fact: { case: "reminderSet", value: { userId: person, reminder: full } }, ...event });
};
const updated = (hours: number, event: Facts) =>
  happened(hours, { fact: { case: "taskUpdated", value: { changedFields: ["due"] } }, ...event });

interface Row {
  state: string;
  isOpen: boolean;
  fireTime: Date | null;
}

const rows = () =>
  stage.database.query<Row>(
    `SELECT state, is_open AS "isOpen", fire_time AS "fireTime" FROM schedule WHERE recipient_id = $1 ORDER BY reminder_id`,
    [person],
  );
const entries = () =>
  stage.database.query<{ title: string; body: string; kind: string }>(
    "SELECT title, body, kind FROM notification WHERE recipient_id = $1 ORDER BY position",
    [person],
  );

/** Publishes and waits until the group has had all of it. */
async function bring(...records: Parameters<SchedulerStage["publish"]>[0]): Promise<void> {
  const ids = records.map(({ headers }) => headers.ce_id);
  await stage.publish(records);
  await until("the events to be heard", async () => {
    const [row] = await stage.database.query<{ count: number }>(
      "SELECT count(*)::int AS count FROM inbox_event WHERE event_id = ANY ($1::uuid[])",
      [ids],
    );
    return row?.count === new Set(ids).size;
  });
}

/** Lets a scheduler do all that is due now, and go. */
async function fire(): Promise<void> {
  const lifecycle = new Lifecycle();
  startScheduler(stage.context, lifecycle);
  await until("nothing to be due", async () => {
    const due = await stage.database.query(
      "SELECT FROM schedule WHERE state = 'waiting' AND is_open AND fire_time <= now()",
    );
    return due.length === 0;
  });
  await lifecycle.stop();
}

describe("what is due", () => {
  it("reaches its person once, by the ways that were chosen, however often the event comes", async () => {
    const due = { dateTime: local(11.9), timeZone: "UTC" };
    const chosen = set(1, { before: durationFromMs(0), channels: [Channel.EMAIL] }, { due });
    const inboxAlone = set(1, { at: inHours(11.95), channels: [Channel.INBOX] }, { due });
    await bring(chosen, chosen, inboxAlone, set(1, { before: durationFromMs(100), channels: [] }, { due }));
    await fire();
    await fire();
    expect(await entries()).toHaveLength(3);
    expect((await entries())[0]).toMatchObject({ kind: "task_reminder", title: "Reminder: Water the tomatoes" });
    expect((await entries())[0]?.body).toMatch(/^Due: .+ \(UTC\)\.$/);
    const asked = await stage.database.query<{ payload: Buffer }>("SELECT payload FROM outbox_event WHERE key = $1", [
      person,
    ]);
    const facts = asked.map(({ payload }) => fromBinary(DeliveryEventSchema, payload).fact.value);
    expect(facts.map((fact) => (fact as { channel: Channel }).channel)).toEqual([Channel.EMAIL, Channel.EMAIL]);
  });

  it("is dropped when it is later than the bound, and comes late within it", async () => {
    await bring(set(1, { at: inHours(10.9) }), set(1, { at: inHours(11.1) }));
    await fire();
    expect((await rows()).map(({ state }) => state).sort()).toEqual(["fired", "missed"]);
    expect(await entries()).toHaveLength(1);
  });

  it.each<[string, () => Parameters<typeof stage.publish>[0]]>([
    ["is done", () => [happened(2, { status: Status.DONE, fact: { case: "taskCompleted", value: {} } })]],
    ["is cancelled", () => [updated(2, { status: Status.CANCELLED })]],
    ["is deleted", () => [happened(2, { fact: { case: "taskDeleted", value: {} } })]],
    ["is another's alone", () => [updated(2, { memberIds: [newId()] })]],
  ])("says nothing of a task that %s", async (_, events) => {
    await bring(set(1, { at: inHours(11.9) }), ...events());
    await fire();
    expect(await entries()).toEqual([]);
  });

  it("is not what was taken back", async () => {
    const reminderId = newId();
    const removed = happened(2, { fact: { case: "reminderRemoved", value: { userId: person, reminderId } } });
    await bring(set(1, { reminderId, at: inHours(11.9) }), removed);
    await fire();
    expect(await entries()).toEqual([]);
  });

  it("comes again at a new time after a snooze, and moves with the due", async () => {
    const reminderId = newId();
    const due = (hours: number) => ({ due: { dateTime: local(hours), timeZone: "UTC" } });
    const rule = { reminderId, before: durationFromMs(hour) };
    await bring(set(1, rule, due(12.5)));
    await fire();
    await bring(set(11.6, { ...rule, snoozeTime: inHours(11.8) }, due(12.5)));
    await fire();
    expect(await entries()).toHaveLength(2);
    await bring(updated(11.9, due(20)));
    expect(await rows()).toMatchObject([{ state: "waiting", fireTime: new Date(`${local(19)}Z`) }]);
    await bring(updated(11.9, due(20)));
    await fire();
    expect(await entries()).toHaveLength(2);
  });

  it("moves with its person's time zone where the due has none", async () => {
    const due = { date: "2030-07-01" };
    await bring(set(1, { before: durationFromMs(24 * hour) }, { due }));
    expect((await rows())[0]?.fireTime?.toISOString()).toBe("2030-06-30T00:00:00.000Z");
    stage.peers.addPerson({ userId: person, timeZone: "Europe/Berlin" });
    const event = create(UserEventSchema, {
      eventId: newId(),
      userId: person,
      fact: { case: "userUpdated", value: { changedFields: ["time_zone"] } },
    });
    const place = { topic: stage.topic, key: person, source: "user", eventId: event.eventId };
    await bring(record(place, toBinary(UserEventSchema, event)));
    expect((await rows())[0]?.fireTime?.toISOString()).toBe("2030-06-29T22:00:00.000Z");
  });

  it("waits while the user service is away, and comes when it is back", async () => {
    await bring(set(1, { at: inHours(11.9) }));
    stage.peers.usersAway = true;
    const lifecycle = new Lifecycle();
    const leader = startScheduler(stage.context, lifecycle);
    await until("somebody to lead", () => leader.leads);
    expect(await entries()).toEqual([]);
    stage.peers.usersAway = false;
    await until("the reminder", async () => (await entries()).length === 1);
    await lifecycle.stop();
  });
});
