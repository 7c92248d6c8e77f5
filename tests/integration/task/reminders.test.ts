import { durationFromMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { Channel } from "#gen/notification/v1/notification_pb.js";
import type { ReminderSet } from "#gen/task/v1/task_events_pb.js";
import { Role, Status } from "#gen/task/v1/task_pb.js";
import { Code } from "#kit/errors.ts";
import { newId } from "#kit/id.ts";
import { type Caller, refusal, startStage, type TaskStage, wrongFields } from "./service.ts";

let stage: TaskStage;
let ada: Caller;
let bob: Caller;
beforeAll(async () => {
  stage = await startStage("task reminders");
  ada = stage.person("Ada");
  bob = stage.person("Bob");
});
afterAll(() => stage?.close());

const due = { dateTime: "2030-03-31T09:00:00", timeZone: "Europe/Berlin" };
const hour = durationFromMs(3_600_000);
const inAnHour = () => timestampFromDate(new Date(Date.now() + 3_600_000));

async function newTask(fields: object = {}): Promise<string> {
  const { task } = await ada.client.createTask({ task: { title: "Water", due, ...fields } }, ada.as());
  return task?.taskId ?? "";
}

async function set(who: Caller, taskId: string, fields: object = { before: hour }) {
  const { reminder } = await who.client.createReminder({ taskId, ...fields }, who.as());
  if (reminder === undefined) throw new Error("no reminder");
  return reminder;
}

const listed = async (who: Caller, taskId: string) => (await who.client.listReminders({ taskId }, who.as())).reminders;

describe("reminders of a task", () => {
  it("are many, each by a time or by the due, with the channels that were chosen, and their owner's alone", async () => {
    const taskId = await newTask();
    await ada.client.shareTask({ taskId, userId: bob.userId, role: Role.VIEWER }, ada.as());
    const first = await set(ada, taskId, { before: durationFromMs(0), channels: [Channel.EMAIL, Channel.PUSH] });
    const second = await set(ada, taskId, { at: inAnHour() });
    const bobs = await set(bob, taskId);
    expect(await listed(ada, taskId)).toEqual([first, second]);
    expect(await listed(bob, taskId)).toEqual([bobs]);
    expect(first).toMatchObject({ taskId, before: { seconds: 0n }, channels: [Channel.EMAIL, Channel.PUSH] });
    expect(first.at).toBeUndefined();

    const facts = (await stage.events(taskId)).slice(-3);
    expect(facts.map(({ fact }) => fact.case)).toEqual(["reminderSet", "reminderSet", "reminderSet"]);
    expect(facts[0]).toMatchObject({ due, status: Status.OPEN, memberIds: [ada.userId, bob.userId] });
    expect(facts[2]?.fact.value).toMatchObject({ userId: bob.userId, reminder: { reminderId: bobs.reminderId } });
  });

  it("can be snoozed, to a time or for a while, and go by the due again when that changes", async () => {
    const taskId = await newTask();
    const { reminderId } = await set(ada, taskId);
    const own = await set(ada, taskId, { at: inAnHour() });
    const until = timestampFromDate(new Date(Date.now() + 7_200_000));
    const snoozed = await ada.client.snoozeReminder({ taskId, reminderId, until }, ada.as());
    expect(snoozed.reminder?.snoozeTime?.seconds).toBe(until.seconds);
    const again = await ada.client.snoozeReminder({ taskId, reminderId: own.reminderId, duration: hour }, ada.as());
    expect(Number(again.reminder?.snoozeTime?.seconds) * 1000).toBeGreaterThan(Date.now());
    const [event] = (await stage.events(taskId)).slice(-1);
    expect((event?.fact.value as ReminderSet | undefined)?.reminder?.snoozeTime).toEqual(again.reminder?.snoozeTime);

    await ada.client.updateTask({ task: { taskId, due: { date: "2030-05-01" } } }, ada.as());
    const after = await listed(ada, taskId);
    expect(after.map(({ snoozeTime }) => snoozeTime === undefined)).toEqual([true, false]);
    const [moved] = (await stage.events(taskId)).slice(-1);
    expect(moved).toMatchObject({ due: { date: "2030-05-01" }, fact: { case: "taskUpdated" } });
  });

  it("are carried to the next task of a series, those that go by the due", async () => {
    const taskId = await newTask({ recurrence: { rrule: "FREQ=DAILY" } });
    await set(ada, taskId, { before: hour, channels: [Channel.EMAIL] });
    await set(ada, taskId, { at: inAnHour() });
    const { nextTask } = await ada.client.completeTask({ taskId }, ada.as());
    const next = nextTask?.taskId ?? "";
    expect(await listed(ada, next)).toMatchObject([{ taskId: next, before: hour, channels: [Channel.EMAIL] }]);
    const events = await stage.events(next);
    expect(events.map(({ fact, sequence }) => [fact.case, sequence])).toEqual([
      ["taskCreated", 1n],
      ["reminderSet", 2n],
    ]);
    await ada.client.updateTask({ task: { taskId: next, title: "Water again" } }, ada.as());
    expect((await stage.events(next)).at(-1)?.sequence).toBe(3n);
  });

  it("can be taken back by their owner alone", async () => {
    const taskId = await newTask();
    await ada.client.shareTask({ taskId, userId: bob.userId, role: Role.EDITOR }, ada.as());
    const { reminderId } = await set(ada, taskId);
    const refusals = await Promise.all([
      refusal(bob.client.deleteReminder({ taskId, reminderId }, bob.as())),
      refusal(bob.client.snoozeReminder({ taskId, reminderId, duration: hour }, bob.as())),
      refusal(ada.client.deleteReminder({ taskId, reminderId: newId() }, ada.as())),
    ]);
    for (const { code, reason } of refusals) {
      expect([code, reason]).toEqual([Code.NOT_FOUND, ErrorReason.REMINDER_NOT_FOUND]);
    }
    await ada.client.deleteReminder({ taskId, reminderId: reminderId.toUpperCase() }, ada.as());
    expect(await listed(ada, taskId)).toEqual([]);
    expect((await stage.events(taskId)).at(-1)?.fact).toMatchObject({ case: "reminderRemoved", value: { reminderId } });
  });

  it("name the field that is wrong", async () => {
    const taskId = await newTask();
    const past = timestampFromDate(new Date(Date.now() - 1000));
    const create = (fields: object) => wrongFields(ada.client.createReminder({ taskId, ...fields }, ada.as()));
    expect(await create({})).toEqual(["at"]);
    expect(await create({ at: inAnHour(), before: hour })).toEqual(["at"]);
    expect(await create({ at: past })).toEqual(["at"]);
    expect(await create({ before: durationFromMs(-1000) })).toEqual(["before"]);
    expect(await create({ before: { seconds: 31_622_401n } })).toEqual(["before"]);
    expect(await create({ before: hour, channels: [Channel.UNSPECIFIED] })).toEqual(["channels[0]"]);
    const { reminderId } = await set(ada, taskId);
    const snooze = (fields: object) =>
      wrongFields(ada.client.snoozeReminder({ taskId, reminderId, ...fields }, ada.as()));
    expect(await snooze({})).toEqual(["until"]);
    expect(await snooze({ until: past })).toEqual(["until"]);
    expect(await snooze({ duration: durationFromMs(0) })).toEqual(["duration"]);
  });

  it("need a task that is to be done, a due to go by, and are 20 at most", async () => {
    const taskId = await newTask({ due: undefined });
    const state = { code: Code.FAILED_PRECONDITION, reason: ErrorReason.TASK_STATE };
    expect(await refusal(set(ada, taskId))).toMatchObject(state);
    const reminders = [];
    for (let index = 0; index < 20; index += 1) reminders.push(await set(ada, taskId, { at: inAnHour() }));
    expect(await refusal(set(ada, taskId, { at: inAnHour() }))).toMatchObject({ reason: ErrorReason.LIMIT_REACHED });
    await ada.client.completeTask({ taskId }, ada.as());
    expect(await refusal(set(ada, taskId, { at: inAnHour() }))).toMatchObject(state);
    const reminderId = reminders[0]?.reminderId ?? "";
    expect(await refusal(ada.client.snoozeReminder({ taskId, reminderId, duration: hour }, ada.as()))).toMatchObject(
      state,
    );
  });
});
